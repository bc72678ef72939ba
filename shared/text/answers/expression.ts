import { seededRng } from '#shared/determinism/rng.ts';
import { tokenise, type Lexeme } from './expression-lexemes.ts';

/**
 * Mathematical expressions of answers, in LaTeX, plain text or Python: arithmetic, implicit products, roots, fractions,
 * π, e, absolute values, logarithms, trigonometry. Real numbers only.
 */

export interface Expression {
  identifiers: ReadonlySet<string>;
  /** NaN where it is not a real number. */
  evaluate(values: ReadonlyMap<string, number>): number;
}

type Node = (values: ReadonlyMap<string, number>) => number;

const MAX_LENGTH = 2000;
const MAX_DEPTH = 60;

class NotAnExpression extends Error {
  override name = 'NotAnExpression';
}

function factorial(value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > 170) return NaN;
  let product = 1;
  for (let factor = 2; factor <= value; factor++) product *= factor;
  return product;
}

export const FUNCTIONS: Record<string, (x: number) => number> = {
  sin: Math.sin, cos: Math.cos, tan: Math.tan,
  sec: (x) => 1 / Math.cos(x), csc: (x) => 1 / Math.sin(x), cot: (x) => 1 / Math.tan(x),
  arcsin: Math.asin, arccos: Math.acos, arctan: Math.atan, asin: Math.asin, acos: Math.acos, atan: Math.atan,
  sinh: Math.sinh, cosh: Math.cosh, tanh: Math.tanh,
  ln: Math.log, log: Math.log, exp: Math.exp, sqrt: Math.sqrt, cbrt: Math.cbrt, abs: Math.abs,
  floor: Math.floor, ceil: Math.ceil, ceiling: Math.ceil, factorial,
}; // prettier-ignore

class Parser {
  readonly identifiers = new Set<string>();
  #lexemes: Lexeme[];
  #at = 0;
  #depth = 0;
  #bars = 0;

  constructor(lexemes: Lexeme[]) {
    this.#lexemes = lexemes;
  }

  whole(): Node {
    const node = this.#sum();
    if (this.#at < this.#lexemes.length) throw new NotAnExpression();
    return node;
  }

  get #next(): Lexeme | undefined {
    return this.#lexemes[this.#at];
  }

  #is(text: string): boolean {
    const next = this.#next;
    return next?.type === 'symbol' && next.text === text;
  }

  #take(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw new NotAnExpression();
  }

  #sum(): Node {
    if (++this.#depth > MAX_DEPTH) throw new NotAnExpression();
    let left = this.#product();
    for (;;) {
      const plus = this.#take('+');
      if (!plus && !this.#take('-')) break;
      const a = left;
      const b = this.#product();
      left = plus ? (values) => a(values) + b(values) : (values) => a(values) - b(values);
    }
    this.#depth--;
    return left;
  }

  #product(): Node {
    let left = this.#signed();
    for (;;) {
      const before = this.#lexemes[this.#at - 1];
      if (this.#take('*')) {
        const a = left;
        const b = this.#signed();
        left = (values) => a(values) * b(values);
      } else if (this.#take('/')) {
        const a = left;
        const b = this.#signed();
        left = (values) => a(values) / b(values);
      } else if (this.#startsFactor(before)) {
        const a = left;
        const b = this.#power();
        left = (values) => a(values) * b(values);
      } else return left;
    }
  }

  /** Whether the next lexeme multiplies what stands before it without a sign: `2x`, `2(x+1)`, `x y`, never `x 2` or `words more`. */
  #startsFactor(before: Lexeme | undefined): boolean {
    const next = this.#next;
    if (!next || !before || before.type === 'word' || next.type === 'word') return false;
    if (next.type === 'number') return false;
    if (next.type === 'symbol')
      return next.text === '(' || next.text === '[' || (next.text === '|' && this.#bars === 0);
    return true;
  }

  #signed(): Node {
    if (++this.#depth > MAX_DEPTH) throw new NotAnExpression();
    let node: Node;
    if (this.#take('-')) {
      const inner = this.#signed();
      node = (values) => -inner(values);
    } else if (this.#take('+')) node = this.#signed();
    else node = this.#power();
    this.#depth--;
    return node;
  }

  #power(): Node {
    const base = this.#postfix();
    if (!this.#take('^')) return base;
    const exponent = this.#is('{') ? this.#group('{', '}') : this.#signed();
    return (values) => base(values) ** exponent(values);
  }

  #postfix(): Node {
    let node = this.#primary();
    while (this.#take('!')) {
      const inner = node;
      node = (values) => factorial(inner(values));
    }
    return node;
  }

  #group(open: string, close: string): Node {
    this.#expect(open);
    const bars = this.#bars;
    this.#bars = 0;
    const node = this.#sum();
    this.#bars = bars;
    this.#expect(close);
    return node;
  }

  #primary(): Node {
    const lexeme = this.#next;
    if (!lexeme) throw new NotAnExpression();
    if (lexeme.type === 'number') {
      this.#at++;
      const { value } = lexeme;
      return () => value;
    }
    if (lexeme.type === 'constant') {
      this.#at++;
      const value = lexeme.text === 'pi' ? Math.PI : Math.E;
      return () => value;
    }
    if (lexeme.type === 'letter' || lexeme.type === 'word') {
      this.#at++;
      const { text } = lexeme;
      this.identifiers.add(text);
      return (values) => values.get(text) ?? NaN;
    }
    if (lexeme.type === 'function') {
      this.#at++;
      return this.#call(lexeme.text);
    }
    switch (lexeme.text) {
      case '(':
        return this.#group('(', ')');
      case '[':
        return this.#group('[', ']');
      case '{':
        return this.#group('{', '}');
      case '|': {
        this.#at++;
        this.#bars++;
        const inner = this.#sum();
        this.#bars--;
        this.#expect('|');
        return (values) => Math.abs(inner(values));
      }
      default:
        throw new NotAnExpression();
    }
  }

  #call(name: string): Node {
    if (name === 'frac') {
      const top = this.#argument();
      const bottom = this.#argument();
      return (values) => top(values) / bottom(values);
    }
    if (name === 'sqrt' && this.#is('[')) {
      const index = this.#group('[', ']');
      const inner = this.#argument();
      return (values) => {
        const n = index(values);
        const x = inner(values);
        return x < 0 && Number.isInteger(n) && Math.abs(n % 2) === 1 ? -((-x) ** (1 / n)) : x ** (1 / n);
      };
    }
    let base: Node | undefined;
    if (name === 'log' && this.#take('_')) base = this.#argument();
    const power = this.#take('^') ? this.#argument() : undefined;
    let argument: Node;
    if (this.#is('(')) {
      this.#at++;
      const bars = this.#bars;
      this.#bars = 0;
      argument = this.#sum();
      if (name === 'log' && this.#take(',')) base = this.#sum();
      this.#bars = bars;
      this.#expect(')');
    } else if (name === 'sqrt') argument = this.#argument();
    else argument = this.#bareArgument();
    const apply = FUNCTIONS[name]!;
    const called: Node = base
      ? (values) => Math.log(argument(values)) / Math.log(base(values))
      : (values) => apply(argument(values));
    return power ? (values) => called(values) ** power(values) : called;
  }

  /** An argument of LaTeX: a group, or one character. */
  #argument(): Node {
    if (++this.#depth > MAX_DEPTH) throw new NotAnExpression();
    const next = this.#next;
    let node: Node;
    if (this.#is('{')) node = this.#group('{', '}');
    else if (next?.type === 'number' && /^\d{2,}$/.test(next.text)) {
      // `\frac12`: one digit each.
      const value = Number(next.text[0]);
      const rest = next.text.slice(1);
      this.#lexemes[this.#at] = { type: 'number', text: rest, value: Number(rest) };
      node = () => value;
    } else node = this.#primary();
    this.#depth--;
    return node;
  }

  /** `\sin 2x`: factors up to the next sign, bracket or function. */
  #bareArgument(): Node {
    if (++this.#depth > MAX_DEPTH) throw new NotAnExpression();
    let node = this.#is('-') ? this.#signed() : this.#power();
    for (;;) {
      const next = this.#next;
      const before = this.#lexemes[this.#at - 1];
      if (next?.type !== 'letter' && next?.type !== 'constant') break;
      if (!this.#startsFactor(before)) break;
      const a = node;
      const b = this.#power();
      node = (values) => a(values) * b(values);
    }
    this.#depth--;
    return node;
  }
}

/** Scores, ranges and dates (`3-2`, `5-10`, `2024-11-12`, `9/11/2001`) are no differences or quotients. */
const NOT_ARITHMETIC = /^\d+ ?- ?\d+$|^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}$/;

/** Reads an undressed text, else undefined. `python` takes `E`, `I` and `oo` as sympy writes them. */
export function readExpression(text: string, options: { python?: boolean } = {}): Expression | undefined {
  if (text.length > MAX_LENGTH || NOT_ARITHMETIC.test(text)) return undefined;
  const lexemes = tokenise(text, { functions: FUNCTIONS, python: options.python === true });
  if (!lexemes || lexemes.length === 0) return undefined;
  // Words alone are language.
  const mathematical = lexemes.some(({ type }) => type !== 'word' && type !== 'letter');
  if (!mathematical && lexemes.length > 1) return undefined;
  if (lexemes.length === 1 && lexemes[0]!.type === 'word') return undefined;
  const parser = new Parser(lexemes);
  try {
    const evaluate = parser.whole();
    return { identifiers: parser.identifiers, evaluate };
  } catch (error) {
    if (error instanceof NotAnExpression) return undefined;
    throw error;
  }
}

const POINTS = 8;
const FEWEST = 4;

/**
 * Whether two expressions agree: the same identifiers, and equal values at eight seeded points of which at least four
 * are finite on both sides. `undefined` where too few points are.
 */
export function sameExpression(
  a: Expression,
  b: Expression,
  tolerance: { relTol: number; absTol: number },
  seed: number,
): boolean | undefined {
  if (a.identifiers.size !== b.identifiers.size) return false;
  for (const name of a.identifiers) if (!b.identifiers.has(name)) return false;
  const names = [...a.identifiers].sort();
  if (names.length === 0) return agreement(a, b, [new Map()], tolerance, 1);
  const rng = seededRng(seed, 'answer-points', names);
  const points = (coordinate: (point: number) => number): Map<string, number>[] =>
    Array.from({ length: POINTS }, (_, point) => new Map(names.map((name) => [name, coordinate(point)])));
  // Most points are positive, where roots and logarithms are real.
  const real = points((point) => (point < 5 ? 0.2 + 2.8 * rng.next() : 6 * rng.next() - 3));
  // Factorials are finite at whole numbers only.
  return (
    agreement(a, b, real, tolerance, FEWEST) ??
    agreement(
      a,
      b,
      points(() => 1 + rng.below(9)),
      tolerance,
      FEWEST,
    )
  );
}

function agreement(
  a: Expression,
  b: Expression,
  points: readonly Map<string, number>[],
  tolerance: { relTol: number; absTol: number },
  fewest: number,
): boolean | undefined {
  let finite = 0;
  for (const values of points) {
    const x = a.evaluate(values);
    const y = b.evaluate(values);
    if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
    finite++;
    const limit = Math.max(tolerance.absTol, tolerance.relTol * Math.max(Math.abs(x), Math.abs(y)));
    if (Math.abs(x - y) > limit) return false;
  }
  return finite >= fewest ? true : undefined;
}
