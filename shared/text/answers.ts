import type { Json } from '#shared/storage/ports.ts';
import { chosenLetter, goldLetter } from './answers/choice.ts';
import { differ, MAX_COMPARISONS } from './answers/compare.ts';
import { comparableText, finalAnswer } from './answers/final-answer.ts';
import { readAnswer, type Answer } from './answers/read.ts';

/** Whether an answer is the gold answer: by what both mean, never by substrings (specification tool-library, section 8). */

export { finalAnswer } from './answers/final-answer.ts';

export const ANSWER_KINDS = [
  'auto',
  'number',
  'choice',
  'boolean',
  'tuple',
  'set',
  'interval',
  'expression',
  'string',
] as const;
export type AnswerKind = (typeof ANSWER_KINDS)[number];

export interface AnswerOptions {
  /** Default `auto`: what the gold answer reads as, tried in the order above (a choice only where there are options). */
  kind?: AnswerKind;
  /** Relative to the gold number; default 1e-6, but integers and fractions compare exactly unless a tolerance is given. */
  relTol?: number;
  /** Default 1e-9. */
  absTol?: number;
  /** Default true: a gold number with decimals takes what rounds to it (3.14 takes 3.14159). False for computed values. */
  rounding?: boolean;
  /** The texts of a multiple choice, from A. */
  options?: readonly string[];
  /** Seeds the points that expressions are compared at. */
  seed?: number;
}

export interface AnswerComparison {
  equal: boolean;
  /** What the comparison was made as. */
  kind: Exclude<AnswerKind, 'auto'>;
  /** Why they differ. */
  reason?: string;
}

const KINDS = {
  boolean: 'boolean',
  number: 'number',
  interval: 'interval',
  expression: 'expression',
  string: 'string',
} as const;

const kindOf = (answer: Answer): AnswerComparison['kind'] =>
  answer.kind === 'list' ? (answer.ordered ? 'tuple' : 'set') : KINDS[answer.kind];

const textOf = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value));

/**
 * Compares a value (a reply's text, JSON, or a value the sandbox tagged) with a gold answer. NaN equals nothing; with
 * that exception everything equals itself. Never throws; time is bounded by the length of both.
 */
export function compareAnswer(gold: Json, value: Json, options: AnswerOptions = {}): AnswerComparison {
  const kind = options.kind ?? 'auto';
  const settings = {
    relTol: options.relTol ?? 1e-6,
    absTol: options.absTol ?? 1e-9,
    rounding: options.rounding ?? true,
    exact: options.relTol === undefined && options.absTol === undefined,
    seed: options.seed ?? 0,
    room: { comparisons: MAX_COMPARISONS },
  };
  if (kind === 'choice' || (kind === 'auto' && options.options !== undefined && options.options.length > 0)) {
    const expected = goldLetter(textOf(gold), options.options);
    if (expected !== undefined) {
      const given = chosenLetter(textOf(value), options.options);
      return given === expected
        ? { equal: true, kind: 'choice' }
        : {
            equal: false,
            kind: 'choice',
            reason: given ? `${given} is not ${expected}.` : 'No letter is chosen.',
          };
    }
  }
  if (kind === 'string') {
    const plain = (json: Json): string =>
      comparableText(typeof json === 'string' ? finalAnswer(json) : textOf(json));
    const equal = plain(gold) === plain(value);
    return equal ? { equal, kind } : { equal, kind, reason: 'The texts differ.' };
  }
  const expected = ordered(readAnswer(gold), kind);
  const reason = differ(expected, readAnswer(value), settings);
  const comparedAs = kindOf(expected);
  if (reason === undefined) return { equal: true, kind: comparedAs };
  if (kind !== 'auto' && kind !== comparedAs) {
    return { equal: false, kind: comparedAs, reason: `Gold is no ${kind}, but a ${comparedAs}. ${reason}` };
  }
  return { equal: false, kind: comparedAs, reason };
}

/** A list in the order that was asked for, whatever its brackets say. */
function ordered(answer: Answer, kind: AnswerKind): Answer {
  if (answer.kind !== 'list' || (kind !== 'tuple' && kind !== 'set')) return answer;
  return { ...answer, ordered: kind === 'tuple' };
}
