import type { InferRequest } from '#shared/models/types.ts';
import type { Answer } from './machine.ts';

/** A made-up corpus about bridges, and a scripted model that knows it: every pair passes every gate. */

const HEADS =
  'Alder Birch Cedar Dover Ember Falcon Garnet Harrow Indigo Juniper Kestrel Linden Marble Nettle Otter Pebble Quartz Raven Sable Thistle Umber Violet Willow Yarrow Zephyr'.split(
    ' ',
  );
const TAILS = 'Arch Bank Cross Dell Edge Ford Gate Hill Isle Key Lane Mead'.split(' ');

export const nameOf = (n: number): string =>
  `${HEADS[n % HEADS.length]}${TAILS[Math.floor(n / HEADS.length) % TAILS.length]!.toLowerCase()}`;
export const openedIn = (n: number): number => 1700 + n;
export const widenedIn = (n: number): number => 1701 + n + 300;

/** A document of about 110 tokens about bridge `n`. */
export function bridge(n: number, more: Record<string, unknown> = {}) {
  const name = nameOf(n);
  const text = [
    `${name} Bridge is a stone arch bridge in Fenmoor.`,
    `${name} Bridge opened to road traffic in ${openedIn(n)}.`,
    `A second span was added to ${name} Bridge in ${widenedIn(n)}.`,
    'The work was done by local masons, who cut the stone in a quarry near the river and carried it to the site on flat boats.',
    'Travellers had used a ferry until then, and the ferry house beside the northern bank still stands as a small museum of the crossing.',
  ].join(' ');
  return {
    id: `b${n}`,
    title: `${name} Bridge`,
    text,
    licence: 'CC0-1.0',
    url: `https://bridges.example/${n}`,
    ...more,
  };
}

export const jsonl = (records: readonly unknown[]): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join('');

export const questionsOf = (n: number): [question: string, answer: string][] => [
  [
    `In what year did ${nameOf(n)} Bridge, a stone arch bridge in Fenmoor, first open to road traffic?`,
    String(openedIn(n)),
  ],
  [
    `In what year was a second span added to ${nameOf(n)} Bridge, the stone arch bridge in Fenmoor?`,
    String(widenedIn(n)),
  ],
];

export const PERSONAS = ['road historian', 'bridge engineer', 'local guide'];

interface RoleInput {
  title: string;
  text: string;
  personaIndex: number;
  question: string;
}
export const inputOf = (request: InferRequest): RoleInput => request.input as RoleInput;

const numbers = new Map(
  Array.from({ length: HEADS.length * TAILS.length }, (_, n) => [`${nameOf(n)} Bridge`, n]),
);
/** The number of the bridge a request is about. */
export const bridgeOf = (request: InferRequest): number => numbers.get(inputOf(request).title)!;

export const passes: Answer = { output: { thought: 'fine', qualified: true, reason: 'ok' } };
export const refuses: Answer = { output: { thought: 'thin', qualified: 'No', reason: 'no_fact' } };
export const judged = (answerCorrect = true, leaksAnswer = false, hasContext = true): Answer => ({
  output: { thought: 'looked', answerCorrect, leaksAnswer, hasContext },
});
export const generated = (question: string, answer: string, more: Record<string, unknown> = {}): Answer => ({
  output: { thought: 'found', question, answer, answerType: 'date', aliases: [], evidence: '', ...more },
});

/** Answers well. */
export function scripted(role: string, request: InferRequest): Answer {
  switch (role) {
    case 'filter':
      return passes;
    case 'identify':
      return {
        output: { thought: 'bridges', domain: 'Technology & Engineering', personas: PERSONAS.slice(0, 2) },
      };
    case 'generate': {
      const [question, answer] = questionsOf(bridgeOf(request))[inputOf(request).personaIndex] ?? [
        `Which material are the arches of ${nameOf(bridgeOf(request))} Bridge in Fenmoor made of?`,
        'stone',
      ];
      return generated(question, answer, answer === 'stone' ? { answerType: 'phrase' } : {});
    }
    default:
      return judged();
  }
}
