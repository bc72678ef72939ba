import { stem } from '#shared/text/stem.ts';
import { assign } from './matching.ts';
import { mentionsOf, type Mention } from './mentions.ts';
import { STOP } from './words.ts';

/**
 * solve-with-tools without a model: the numbers of the question go to the parameters whose descriptions share most
 * words with what stands around them (section 6). It sees the question and the tools' schemas, nothing else.
 */

export interface SolverTool {
  name: string;
  description: string;
  parameters: Record<string, unknown>;
}
export interface SolverInput {
  question: string;
  tools: readonly SolverTool[];
  /** What was called so far, and what came of it. */
  dialogue: readonly {
    call: { name: string; arguments: Record<string, unknown> };
    value?: string | undefined;
    error?: string | undefined;
  }[];
}
export type SolverOutput = { call: { name: string; arguments: Record<string, number> } } | { answer: string };

/** Beyond this many, descriptions are read as too many alternatives to match by words alone. */
const MAX_PARAMETERS = 16;

interface Parameter {
  name: string;
  required: boolean;
  numeric: boolean;
  before: string[];
  after: string[];
  words: ReadonlySet<string>;
  percent: boolean;
  money: boolean;
}

/** The next move: a call, or the answer that the last call gave. */
export function solve({ question, tools, dialogue }: SolverInput): SolverOutput {
  const last = dialogue.at(-1);
  if (last) return { answer: last.value ?? 'unknown' };
  const mentions = mentionsOf(question);
  let best: { name: string; arguments: Record<string, number>; score: number } | undefined;
  for (const tool of tools) {
    const call = callOf(tool, mentions, question);
    if (call && (!best || call.score > best.score)) best = { name: tool.name, ...call };
  }
  return best ? { call: { name: best.name, arguments: best.arguments } } : { answer: 'unknown' };
}

function callOf(
  tool: SolverTool,
  mentions: readonly Mention[],
  question: string,
): { arguments: Record<string, number>; score: number } | undefined {
  const parameters = parametersOf(tool);
  const wanted = parameters.filter(({ required }) => required);
  if (wanted.length === 0 || wanted.length > MAX_PARAMETERS || wanted.length > mentions.length)
    return undefined;
  if (wanted.some(({ numeric }) => !numeric)) return undefined;
  const weights = wanted.map((parameter) =>
    mentions.map((mention) => weightOf(parameter, mention) - mention.index * 1e-6),
  );
  const columns = assign(weights);
  const args: Record<string, number> = {};
  let score = 0;
  for (const [row, column] of columns.entries()) {
    args[wanted[row]!.name] = mentions[column]!.value;
    score += weights[row]![column]!;
  }
  const asked = new Set(stems(question));
  const shared = stems(`${tool.name.replaceAll('_', ' ')} ${tool.description}`).filter((word) =>
    asked.has(word),
  );
  return { arguments: args, score: score / wanted.length + 0.1 * new Set(shared).size };
}

function parametersOf(tool: SolverTool): Parameter[] {
  const properties = (tool.parameters.properties ?? {}) as Record<string, Record<string, unknown>>;
  const required = (tool.parameters.required ?? []) as string[];
  return Object.entries(properties).map(([name, schema]) => {
    const description = typeof schema.description === 'string' ? schema.description.toLowerCase() : '';
    // `_` stands for the value in descriptions that say where it occurs.
    const hole = /(?<![\w_])\$?_(?![\w_])/.exec(description);
    const [before, after] = hole
      ? [description.slice(0, hole.index), description.slice(hole.index + hole[0].length)]
      : ['', ''];
    return {
      name,
      required: required.includes(name),
      numeric: schema.type === 'number' || schema.type === 'integer',
      before: wordsIn(before).toReversed(),
      after: wordsIn(after),
      words: new Set([...stems(name.replaceAll('_', ' ')), ...stems(description)]),
      percent: /%|percent/.test(`${name} ${description}`),
      money: /\$|price|cost|dollar|money/.test(`${name} ${description}`),
    };
  });
}

const wordsIn = (text: string): string[] => text.match(/[\p{L}][\p{L}'’]*/gu) ?? [];
const stems = (text: string): string[] =>
  wordsIn(text.toLowerCase())
    .filter((word) => !STOP.has(word))
    .map((word) => stem(word));

/** How well a number of the question fits a parameter. */
function weightOf(parameter: Parameter, mention: Mention): number {
  const before = mention.before.map((word) => (word === '#' ? 'some' : word)).toReversed();
  const after = mention.after.map((word) => (word === '#' ? 'some' : word));
  // A word counts by how near it stands.
  const near = new Map<string, number>();
  for (const side of [before, after]) {
    for (const [distance, word] of side.slice(0, 5).entries()) {
      if (STOP.has(word)) continue;
      const key = stem(word);
      near.set(key, Math.max(near.get(key) ?? 0, 1 / (1 + 0.25 * distance)));
    }
  }
  let shared = 0;
  for (const [word, weight] of near) if (parameter.words.has(word)) shared += weight;
  const kind =
    (parameter.percent === mention.percent ? 1 : -1) + (parameter.money === mention.money ? 0.5 : 0);
  // Words in the same place count most, nearest first.
  return (
    shared +
    kind +
    2 * aligned(parameter.before, before) +
    2 * aligned(parameter.after, after) -
    (mention.ordinal ? 1 : 0)
  );
}

function aligned(description: readonly string[], context: readonly string[]): number {
  let score = 0;
  for (let n = 0; n < Math.min(description.length, context.length); n++) {
    if (description[n] === context[n]) score += 1 / (1 + 0.2 * n);
  }
  return score;
}
