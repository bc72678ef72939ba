import type { StepInput } from '../agent/prompts/step-input.ts';
import type { Progress } from './progress.ts';
import { answerText, callText } from './reply.ts';
import { isContent, tokensOf } from './tokens.ts';

const TERM = String.raw`\d[\d,]*(?:\.\d+)?`;
const EXPRESSION = new RegExp(
  String.raw`[-(\s]*${TERM}(?:\s*[)]*\s*(?:\*\*|[-+*/^×÷%])\s*[-(\s]*${TERM})+[)\s]*`,
);
const PERCENT = new RegExp(String.raw`(${TERM})\s*(?:%|percent)\s+of\s+(${TERM})`, 'i');
const ROOT = new RegExp(String.raw`square root of\s+(${TERM})`, 'i');

/** Arithmetic that a question spells out: computed by code_interpreter, never in the head. */
export function arithmeticStep(input: StepInput, progress: Progress): string | undefined {
  const code = programOf(input.question, input.kind === 'math');
  if (code === undefined) return undefined;
  const done = progress.computed.find((computed) => computed.code === code || computed.code === '');
  if (done) {
    const value = done.text.trim();
    const failed = /^\w*Error\b|^Stopped|^Import of/.test(value);
    return answerText('That is the result.', failed ? `${value} (uncertain)` : value, []);
  }
  return input.final ? undefined : callText('This is arithmetic.', 'code_interpreter', { code });
}

/** What people say around a calculation. */
const AROUND = new Set(
  'calculate compute evaluate work result value sum product difference much percent square root'.split(' '),
);

/** @param math the question is a problem as a whole; else nothing but the calculation may be asked. */
function programOf(question: string, math: boolean): string | undefined {
  const plain = (term: string): string => term.replaceAll(',', '');
  const expression = [PERCENT, ROOT, EXPRESSION].map((form) => form.exec(question)?.[0]).find(Boolean);
  if (expression === undefined) return undefined;
  const rest = tokensOf(question.replace(expression, ' '));
  if (!math && rest.some(({ word }) => isContent(word) && !AROUND.has(word))) return undefined;
  const percent = PERCENT.exec(question);
  if (percent) return `${plain(percent[2]!)} * ${plain(percent[1]!)} / 100`;
  const root = ROOT.exec(question);
  if (root) return `import math\nmath.sqrt(${plain(root[1]!)})`;
  const found = EXPRESSION.exec(question);
  if (!found) return undefined;
  const text = found[0].trim();
  // A range of years or a date is no subtraction.
  if (/^\d{4}\s*-\s*\d{2,4}$|^\d{1,4}-\d{1,2}-\d{1,4}$/.test(text)) return undefined;
  const balanced = (text.match(/\(/g) ?? []).length === (text.match(/\)/g) ?? []).length;
  if (!balanced) return undefined;
  return plain(text).replaceAll('×', '*').replaceAll('÷', '/').replaceAll('^', '**');
}
