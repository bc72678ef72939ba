/** Arithmetic as solutions write it: numbers, `+ - * / ** ^`, parentheses, `%` and currency signs. */

export type Operator = '+' | '-' | '*' | '/' | '**';

export type Expression =
  | { type: 'number'; value: number; text: string }
  | { type: 'binary'; op: Operator; left: Expression; right: Expression }
  | { type: 'negative'; of: Expression };

const TOKEN =
  /\s*(?:(\d+\s+\d+\s*\/\s*\d+)|(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+)\s*(%?)|(\*\*|\/\/|[-+*/^()×÷−–·]))/y;
const SAME: Record<string, string> = {
  '×': '*',
  '·': '*',
  '÷': '/',
  '−': '-',
  '–': '-',
  '^': '**',
  '//': '/',
};

/** Most tokens of one expression: hostile text stays cheap and shallow. */
const MAX_TOKENS = 400;

/** Parses an expression; undefined where the text is none. A percentage is its hundredth part. */
export function parseArithmetic(text: string): Expression | undefined {
  const tokens: (string | Expression)[] = [];
  const plain = text
    .replace(/[$€£]/g, '')
    .replace(/(?<=[\d)%]\s*)[xX](?=\s*[\d(.])/g, '*')
    .trim();
  if (plain === '' || plain.length > 2000) return undefined;
  TOKEN.lastIndex = 0;
  let at = 0;
  while (at < plain.length) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(plain);
    if (!match || tokens.length > MAX_TOKENS) return undefined;
    at = TOKEN.lastIndex;
    if (match[1] !== undefined) tokens.push(mixedOf(match[1]));
    else if (match[2] === undefined) tokens.push(SAME[match[4]!] ?? match[4]!);
    else tokens.push(numberOf(match[2], match[3] === '%'));
  }
  const parser = new Parser(tokens);
  const result = parser.sum(0);
  return parser.done ? result : undefined;
}

function numberOf(text: string, percent: boolean): Expression {
  const value = Number(text.replaceAll(',', ''));
  const number: Expression = { type: 'number', value, text };
  if (!percent) return number;
  return { type: 'binary', op: '/', left: number, right: { type: 'number', value: 100, text: '100' } };
}

/** `1 1/2`. */
function mixedOf(text: string): Expression {
  const [whole, top, under] = text
    .split(/\s+|\//)
    .filter((part) => part !== '')
    .map(Number) as [number, number, number];
  const value = under === 0 ? NaN : whole + top / under;
  return { type: 'number', value, text: String(value) };
}

class Parser {
  readonly #tokens: (string | Expression)[];
  #at = 0;

  constructor(tokens: (string | Expression)[]) {
    this.#tokens = tokens;
  }

  get done(): boolean {
    return this.#at === this.#tokens.length;
  }

  #take(...texts: string[]): string | undefined {
    const token = this.#tokens[this.#at];
    if (typeof token !== 'string' || !texts.includes(token)) return undefined;
    this.#at++;
    return token;
  }

  sum(depth: number): Expression | undefined {
    if (depth > 50) return undefined;
    let left = this.#product(depth);
    for (let op = left && this.#take('+', '-'); left && op; op = this.#take('+', '-')) {
      const right = this.#product(depth);
      left = right && { type: 'binary', op: op as Operator, left, right };
    }
    return left;
  }

  #product(depth: number): Expression | undefined {
    let left = this.#unary(depth);
    while (left) {
      const op = this.#take('*', '/') ?? (this.#tokens[this.#at] === '(' ? '*' : undefined);
      if (!op) break;
      const right = this.#unary(depth);
      left = right && { type: 'binary', op: op as Operator, left, right };
    }
    return left;
  }

  #unary(depth: number): Expression | undefined {
    if (depth > 50) return undefined;
    if (this.#take('-')) {
      const of = this.#unary(depth + 1);
      return of && { type: 'negative', of };
    }
    if (this.#take('+')) return this.#unary(depth + 1);
    const base = this.#atom(depth);
    if (!base || !this.#take('**')) return base;
    const right = this.#unary(depth + 1);
    return right && { type: 'binary', op: '**', left: base, right };
  }

  #atom(depth: number): Expression | undefined {
    if (this.#take('(')) {
      const inner = this.sum(depth + 1);
      return inner && this.#take(')') ? inner : undefined;
    }
    const token = this.#tokens[this.#at];
    if (typeof token !== 'object') return undefined;
    this.#at++;
    return token;
  }
}

/** The value, NaN where it has none (a division by zero). */
export function evaluate(expression: Expression): number {
  if (expression.type === 'number') return expression.value;
  if (expression.type === 'negative') return -evaluate(expression.of);
  const left = evaluate(expression.left);
  const right = evaluate(expression.right);
  switch (expression.op) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return right === 0 ? NaN : left / right;
    case '**':
      return left ** right;
  }
}

/** Whether two values are the same but for the last bits. */
export const near = (a: number, b: number): boolean =>
  a === b || Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));
