import { nameOf, PERSONAS, questionsOf } from '#test/functions/dataset-synthesis/bridges.ts';
import type { ChatCall } from './chat-stub.ts';

/** What a good model says of the bridges, read from the prompts alone. */

/** The number of the bridge a prompt is about. */
export const aboutBridge = (prompt: string): number => {
  const name = /(\w+) Bridge is a stone arch bridge in Fenmoor/.exec(prompt)![1];
  return Array.from({ length: 200 }, (_, n) => n).find((n) => nameOf(n) === name)!;
};

/** The prompt names the persona first and the other ones, to keep questions apart, after it. */
const personaOf = (prompt: string): 0 | 1 => {
  const [first, second] = PERSONAS.map((persona) => prompt.lastIndexOf(persona)) as [number, number];
  return first >= 0 && (second < 0 || first < second) ? 0 : 1;
};

export function goodAnswer({ role, prompt }: ChatCall): string {
  if (role === 'filter') return JSON.stringify({ thought: '', qualified: true, reason: 'ok' });
  if (role === 'identify')
    return JSON.stringify({ thought: '', domain: 'Other', personas: PERSONAS.slice(0, 2) });
  if (role === 'check')
    return JSON.stringify({ thought: '', answerCorrect: true, leaksAnswer: false, hasContext: true });
  const [question, answer] = questionsOf(aboutBridge(prompt))[personaOf(prompt)]!;
  return JSON.stringify({ thought: '', question, answer, answerType: 'date', aliases: [], evidence: '' });
}
