import { finalAnswer } from '#shared/text/answers.ts';
import { evaluate, parseArithmetic } from './arithmetic.ts';

/** The number an answer is: currency, thousands, percent, fractions and mixed numbers, and a unit after it. */
export function finalNumber(answer: string): number | undefined {
  const text = finalAnswer(answer).replace(/[$€£]/g, '').trim();
  const number = /^-?(?:\d+\s+\d+\s*\/\s*\d+|(?:\d{1,3}(?:,\d{3})+|\d*)\.?\d*(?:\s*\/\s*\d+)?)/.exec(text);
  if (!number || !/\d/.test(number[0])) return undefined;
  // A date, a time, a range or a list begins with a number and is none.
  if (/^\s*(?:[-–:/,;]\s*\S|(?:and|or|to)\s+\d|\d)/.test(text.slice(number[0].length))) return undefined;
  const parsed = parseArithmetic(number[0]);
  const value = parsed && evaluate(parsed);
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}
