import { finalNumber } from './final-number.ts';
import { near } from './arithmetic.ts';
import { bindSteps, mentionsIn, stepsOf, type Formula } from './binding.ts';
import { mentionsOf, type Mention } from './mentions.ts';
import { contextWords, describe, functionWords, identifier, Names, phraseOf, stepWords } from './naming.ts';
import { readSteps, type Step } from './steps.ts';

/** extract-tools without a model: the annotated steps of a solution become one function (section 6). */

export interface ExtractedTool {
  tags: string[];
  code: string;
  call: string;
}
export type Extraction =
  | { ok: true; tool: ExtractedTool }
  | { ok: false; code: 'ANNOTATION_MISMATCH' | 'ANSWER_NOT_REACHED'; message: string };

export interface ExtractOptions {
  /** Parameter names carry a word of their context (second round). */
  contextNames?: boolean;
  /** Parameters stand in the order of the question, not of their use (third round). */
  orderByMention?: boolean;
}

interface Problem {
  question: string;
  reasoning: string;
  answer: string;
}

/** Makes one function of an annotated solution, or says why none can be made. */
export function extractTool(problem: Problem, options: ExtractOptions = {}): Extraction {
  const read = readSteps(problem.reasoning);
  if (!read.ok) return { ok: false, code: 'ANNOTATION_MISMATCH', message: read.message };
  const answer = finalNumber(problem.answer);
  const unreached = (message: string): Extraction => ({ ok: false, code: 'ANSWER_NOT_REACHED', message });
  if (answer === undefined) return unreached('The answer is no number, and the reasoning no Python.');
  const last = read.steps.findLastIndex(({ value }) => near(value, answer));
  if (last < 0) {
    const count = read.steps.length;
    return unreached(`None of the ${count} steps of the reasoning gives the answer ${problem.answer}.`);
  }
  const steps = read.steps.slice(0, last + 1);
  const mentions = mentionsOf(problem.question);
  const formulas = bindSteps(steps, mentions);
  const needed = slice(formulas, last);
  if (needed.every((step) => mentionsIn(formulas[step]!).length === 0)) {
    return unreached('No number of the question takes part in the reasoning that gives the answer.');
  }
  return { ok: true, tool: emit(problem, steps, formulas, needed, mentions, options) };
}

/** The steps that the last one needs, in order. */
function slice(formulas: readonly Formula[], last: number): number[] {
  const needed = new Set<number>();
  const visit = (step: number): void => {
    if (needed.has(step)) return;
    needed.add(step);
    stepsOf(formulas[step]!).forEach(visit);
  };
  visit(last);
  return [...needed].sort((a, b) => a - b);
}

function emit(
  problem: Problem,
  steps: readonly Step[],
  formulas: readonly Formula[],
  needed: readonly number[],
  mentions: readonly Mention[],
  options: ExtractOptions,
): ExtractedTool {
  const used = [...new Set(needed.flatMap((step) => mentionsIn(formulas[step]!)))];
  if (options.orderByMention) used.sort((a, b) => a - b);
  const names = new Names();
  const parameters = new Map<number, string>();
  for (const index of used) {
    const mention = mentions[index]!;
    const context = contextWords(mention);
    const words = phraseOf(mention);
    const extra = options.contextNames ? context.filter((word) => !words.includes(word)).slice(0, 1) : [];
    parameters.set(index, names.take([...words, ...extra], context, 'value'));
  }
  const rounded = needed.some((step) => steps[step]!.rounding && steps[step]!.rounding!.how !== 'round');
  const variables = new Map<number, string>();
  const lines: string[] = [];
  const last = needed.at(-1)!;
  for (const step of needed) {
    const text = withRounding(render(formulas[step]!, parameters, variables), steps[step]!);
    if (step === last) lines.push(`    return ${text}`);
    else {
      const words = stepWords(steps[step]!.before, steps[step]!.after);
      const name = names.take(words, [], 'amount');
      variables.set(step, name);
      lines.push(`    ${name} = ${text}`);
    }
  }
  const root = formulas[last]!.type === 'binary' ? formulas[last]!.op : undefined;
  const words = functionWords(problem.question, stepWords(steps[last]!.before, steps[last]!.after), root);
  const name = identifier(words) ?? 'value';
  const subject = words.join(' ').replaceAll('_', ' ');
  const list = used.map((index) => parameters.get(index)!);
  const code = [
    ...(rounded ? ['import math', ''] : []),
    `def ${name}(${list.map((parameter) => `${parameter}: float`).join(', ')}) -> float:`,
    `    """${capital(subject)}, from ${spoken(list)}.`,
    '',
    '    Args:',
    ...used.map((index) => `        ${parameters.get(index)!}: ${describe(mentions[index]!)}`),
    '    """',
    ...lines,
  ].join('\n');
  const call = `${name}(${used.map((index) => `${parameters.get(index)!}=${numberText(mentions[index]!.value)}`).join(', ')})`;
  return {
    tags: [...new Set(words.filter((word) => !word.includes('_')))].slice(0, 4),
    code: `${code}\n`,
    call,
  };
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

const spoken = (names: readonly string[]): string => {
  const words = names.map((name) => name.replaceAll('_', ' '));
  return words.length < 2 ? (words[0] ?? 'nothing') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)!}`;
};

export const numberText = (value: number): string => String(value);

function withRounding(text: string, { rounding }: Step): string {
  if (!rounding) return text;
  const { how, decimals } = rounding;
  if (how === 'round') return decimals === 0 ? `round(${text})` : `round(${text}, ${decimals})`;
  if (decimals === 0) return `math.${how}(${text})`;
  const scale = 10 ** decimals;
  return `math.${how}((${text}) * ${scale}) / ${scale}`;
}

const RANK = { '+': 1, '-': 1, '*': 2, '/': 2, '**': 4 } as const;

function render(
  formula: Formula,
  parameters: ReadonlyMap<number, string>,
  variables: ReadonlyMap<number, string>,
): string {
  const visit = (node: Formula, rank: number): string => {
    switch (node.type) {
      case 'literal':
        return literalText(node);
      case 'mention':
        return parameters.get(node.mention)!;
      case 'step':
        return variables.get(node.step)!;
      case 'negative':
        return rank > 1 ? `(-${visit(node.of, 3)})` : `-${visit(node.of, 3)}`;
      case 'binary': {
        const inverse = inverseOf(node);
        if (inverse) return visit(inverse, rank);
        const own = RANK[node.op];
        const text = `${visit(node.left, node.op === '**' ? 5 : own)} ${node.op} ${visit(node.right, own + 1)}`;
        return own < rank ? `(${text})` : text;
      }
    }
  };
  return visit(formula, 0);
}

/** Dividing by one over a share is multiplying by it, and the reverse. */
function inverseOf(node: Formula & { type: 'binary' }): Formula | undefined {
  const { right } = node;
  if ((node.op !== '/' && node.op !== '*') || right.type !== 'binary' || right.op !== '/') return undefined;
  if (right.left.type !== 'literal' || right.left.value !== 1 || right.right.type !== 'mention')
    return undefined;
  return { ...node, op: node.op === '/' ? '*' : '/', right: right.right };
}

const literalText = ({ value, text }: { value: number; text: string }): string =>
  /^\d+(?:\.\d+)?$/.test(text) && !/^0\d/.test(text) ? text : String(value);
