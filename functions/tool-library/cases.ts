import { canonicalJson } from '#shared/determinism/hash.ts';
import type { Case } from '#shared/library/types.ts';
import type { SandboxResult } from '#shared/sandbox/types.ts';
import type { Json } from '#shared/storage/ports.ts';
import { compareAnswer, type AnswerOptions } from '#shared/text/answers.ts';
import { near } from './builtin/arithmetic.ts';
import { errorText } from './create/outcomes.ts';
import { valueText } from './create/values.ts';

/** Whether a run gives what its case expects. Expected values never enter the sandbox: they are compared here. */
export function passes(
  { expected, expectedFrom, comparator }: Case,
  result: SandboxResult | undefined,
): boolean {
  if (!result?.ok) return false;
  if (expectedFrom === 'recorded') return sameValue(expected as Json, result.value);
  return compareAnswer(expected as Json, result.value, comparator as AnswerOptions).equal;
}

/** Whether two runs gave the same value, rounding of floats aside. */
export function sameValue(a: Json, b: Json): boolean {
  if (typeof a === 'number' && typeof b === 'number') return near(a, b);
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [left, right] = [Object.entries(a), Object.entries(b)];
  if (left.length !== right.length) return false;
  if (isUnordered(a)) return canonicalJson(a) === canonicalJson(b);
  return left.every(
    ([key, value]) => Object.hasOwn(b, key) && sameValue(value, (b as Record<string, Json>)[key]!),
  );
}

const isUnordered = (value: object): boolean =>
  '$' in value && (value.$ === 'set' || value.$ === 'frozenset');

/** What a run gave, in words. */
export const resultText = (result: SandboxResult | undefined): string =>
  !result ? 'no result' : result.ok ? valueText(result.value).slice(0, 300) : errorText(result.error);
