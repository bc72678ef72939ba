import { evaluate, near, parseArithmetic, type Expression } from './arithmetic.ts';

/** The steps of a worked solution: its `<<expression=value>>` annotations, and equations written out in the text. */

export interface Step {
  expression: Expression;
  /** What the solution says it gives. */
  value: number;
  /** How the stated value was rounded from the exact one, where it was. */
  rounding?: { how: 'round' | 'floor' | 'ceil'; decimals: number };
  /** Text before the step in its sentence, and after it. */
  before: string;
  after: string;
  annotated: boolean;
}

export type Steps = { ok: true; steps: Step[] } | { ok: false; message: string };

const ANNOTATION = /<<([^<>]*)>>/g;
const NUMBER = String.raw`-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d*\.?\d+`;
const RELATIVE = 0.005;

/** Reads the steps in order. Not ok where an annotation's value is not what its expression gives. */
export function readSteps(reasoning: string): Steps {
  const found: (Step & { at: number })[] = [];
  for (const match of reasoning.matchAll(ANNOTATION)) {
    const sides = match[1]!.split('=').map((side) => side.trim());
    if (sides.length < 2) continue;
    const value = valueOf(sides.at(-1)!);
    let expression = parseArithmetic(sides[0]!);
    if (expression?.type === 'number' && value !== undefined) {
      // `1.5 / .25 = <<6=6>>`: what is worked out stands before.
      const left = reasoning.slice(Math.max(0, match.index - 200), match.index).replace(/[=\s$]+$/, '');
      expression = leftSide(left.split(/[.;:!?](?!\d)|[\n=<>]/).at(-1)!, value) ?? expression;
    }
    if (!expression || value === undefined) continue;
    const exact = evaluate(expression);
    if (!agrees(exact, value, sides.at(-1)!)) {
      return { ok: false, message: `${match[1]!} does not hold: ${sides[0]} gives ${exact}.` };
    }
    const end = match.index + match[0].length;
    found.push({
      at: match.index,
      ...stepOf(expression, exact, value, around(reasoning, match.index, end)),
      annotated: true,
    });
  }
  for (const plain of plainEquations(reasoning)) found.push(plain);
  found.sort((a, b) => a.at - b.at);
  return { ok: true, steps: found.map(({ at: _at, ...step }) => step) };
}

const valueOf = (text: string): number | undefined => {
  const parsed = parseArithmetic(text);
  return parsed && Number.isFinite(evaluate(parsed)) ? evaluate(parsed) : undefined;
};

const decimalsOf = (text: string): number => /\.(\d+)/.exec(text)?.[1]?.length ?? 0;

/** Equal, equal after rounding to the digits that are stated (either way), or within half a percent. */
function agrees(exact: number, value: number, text: string): boolean {
  if (!Number.isFinite(exact)) return false;
  if (near(exact, value) || Math.abs(exact - value) <= RELATIVE * Math.abs(exact)) return true;
  return Math.abs(exact - value) < 10 ** -decimalsOf(text);
}

function stepOf(
  expression: Expression,
  exact: number,
  value: number,
  text: { before: string; after: string },
): Omit<Step, 'annotated'> {
  const step = { expression, value, ...text };
  if (near(exact, value)) return step;
  for (let decimals = 0; decimals <= 4; decimals++) {
    const scale = 10 ** decimals;
    for (const how of ['round', 'floor', 'ceil'] as const) {
      if (near(Math[how](exact * scale) / scale, value)) return { ...step, rounding: { how, decimals } };
    }
  }
  return step;
}

/** The sentence around a step, annotations taken out. */
function around(text: string, start: number, end: number): { before: string; after: string } {
  const clean = (part: string): string => part.replace(ANNOTATION, '');
  const before = clean(text.slice(Math.max(0, start - 300), start))
    .split(/[.;!?]\s|\n/)
    .at(-1)!;
  const after = clean(text.slice(end, end + 300)).split(/[.;!?](?:\s|$)|\n/)[0]!;
  return { before, after: after.replace(new RegExp(`^\\s*(?:${NUMBER})`), '') };
}

/** Words that may stand among the numbers of an equation: units and nouns. */
const WORDS = /(?:\s*\/\s*)?[\p{L}][\p{L}'’-]*/gu;

/** Equations without annotation, such as `14 pieces/house * 60 houses = 840 pieces`; only those that hold. */
function* plainEquations(reasoning: string): Generator<Step & { at: number }> {
  const masked = reasoning.replace(ANNOTATION, (whole) => '\u0000'.repeat(whole.length));
  const pattern = new RegExp(`=\\s*[$€£]?(${NUMBER})(?![\\d*/+^(]|\\s*[-*/+x×÷]\\s*[\\d($])`, 'gu');
  for (const match of masked.matchAll(pattern)) {
    const value = valueOf(match[1]!);
    const before = masked.slice(Math.max(0, match.index - 200), match.index);
    // The left side reaches back to where a sentence, another equation or an annotation ends.
    const left = before.split(/[.;:!?](?!\d)|[\n=\u0000]/).at(-1)!;
    if (value === undefined) continue;
    const read = leftSide(left, value);
    if (!read) continue;
    const end = match.index + match[0].length;
    yield {
      at: match.index,
      expression: read,
      value,
      ...around(reasoning, match.index - left.length, end),
      annotated: false,
    };
  }
}

/** The longest ending of a text that is arithmetic of the value, nouns and units passed over. */
function leftSide(text: string, value: number): Expression | undefined {
  const plain = text
    .replace(/(?<=[\d)]\s*)[xX](?=\s*[\d($])/g, '*')
    .replace(/(\d)\s*%\s*of\b/g, '$1% *')
    .replace(WORDS, ' ')
    .replace(/,(?!\d)/g, ' ');
  const starts = [...plain.matchAll(/(?<![\d.,])[\d($.]/g)].map(({ index }) => index);
  for (const start of starts.slice(-40)) {
    const expression = parseArithmetic(plain.slice(start));
    if (expression?.type === 'binary' && near(evaluate(expression), value)) return expression;
  }
  return undefined;
}
