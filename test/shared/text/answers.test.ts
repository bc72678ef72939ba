import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '#shared/storage/ports.ts';
import { compareAnswer, finalAnswer, type AnswerOptions } from '#shared/text/answers.ts';

type Row = [gold: Json, value: Json, equal: boolean, kind?: string, options?: AnswerOptions];

const four = { options: ['acetone', 'ethanol', 'benzaldehyde', 'toluene'] };
const exact = { rounding: false };
const tag = (kind: string, v: Json): Json => ({ $: kind, v });

const TABLE: Record<string, Row[]> = {
  'forms of numbers': [
    ['1234', '1,234', true, 'number'],
    ['1,234', 1234, true],
    ['1,234,567', '1234567', true],
    ['1,234', '1, 234', false],
    ['-0.5', '-.5', true],
    ['0.75', '3/4', true],
    ['3/4', '\\frac{3}{4}', true],
    ['3/4', '\\dfrac34', true],
    ['1/2', '\\frac12', true],
    ['1.5', '1\\frac{1}{2}', true],
    ['1 1/2', '3/2', true],
    ['1½', '1.5', true],
    ['-2/3', '-\\frac{2}{3}', true],
    ['2/3', '\\frac{-2}{3}', false],
    ['1200', '1.2e3', true],
    ['1.2\\times10^{3}', '1200', true],
    ['1.2 × 10^3', '1,200', true],
    ['3\\cdot10^{-2}', '0.03', true],
    ['24', 'twenty-four', true],
    ['1.2 million', 1_200_000, true],
    ['+7', '7', true],
    ['7', '7.0', true],
    ['10^400', '10^401', false],
    ['-3', '−3', true],
    ['12345678901234567890', '12345678901234567891', false],
    ['12345678901234567890', tag('int', '12345678901234567890'), true],
  ],
  'exactness and rounding': [
    ['3.14', '3.14159', true],
    ['3.14', '3.145', false],
    ['3.14', '3.135', true],
    ['3.14', '3.1349', false],
    ['-3.14', '-3.1449', true],
    ['3.14', 3.14159, false, 'number', exact],
    ['3.14159', '3.14', false],
    ['24', '24.4', false],
    ['24', 24.4, false],
    ['24', 24.00000001, true],
    ['1/3', '2/6', true],
    ['1/3', '0.3333333', true],
    ['1/3', '0.33', false],
    ['1/3', '333333/1000000', false],
    ['1000000', '1000001', false],
    ['0.1', tag('Fraction', ['1', '10']), true],
    ['0.30000000000000004', 0.3, true],
    ['100', '101', true, 'number', { relTol: 0.02, absTol: 0 }],
    ['100.0', '102', true, 'number', { relTol: 0.02 }],
    ['1.2e3', '1234', true],
    ['1.2e3', '1260', false],
  ],
  'percent and units': [
    ['25%', '25', true],
    ['25%', '0.25', true],
    ['0.25', '25%', true],
    ['25', '25 percent', true],
    ['25%', '2.5', false],
    ['25%', '25\\%', true],
    ['12.5%', '12.5%', true],
    ['5 km', '5', true],
    ['5', '5 apples', true],
    ['5 km', '5 kilometres', true],
    ['5 km', '5 m', false],
    ['5 hours', '5 minutes', false],
    ['5 apple', '5 apples', true],
    ['3 m/s', '3 metres per second', true],
    ['9.8 m/s^2', '9.8 m/s²', true],
    ['9 cm^2', '9 cm^3', false],
    ['5\\text{ cm}', '5cm', true],
    ['5m', '5 metres', true],
    ['5m', '5', false],
    ['$12', '12', true],
    ['\\$1,200.50', '1200.5', true],
    ['£3', '3', true],
    ['90^\\circ', '90', true],
    ['90°', '90 degrees', true],
    ['25 °C', '25^\\circ C', true],
    ['25 °C', '25 °F', false],
    ['2 of clubs', '2 of hearts', false],
    ['24', '24 or 25', false],
  ],
  'nothing and truth': [
    ['NaN', 'NaN', false],
    [tag('float', 'nan'), tag('float', 'nan'), false],
    [tag('float', 'inf'), '\\infty', true],
    [tag('float', '-inf'), 'inf', false],
    [1, true, false],
    ['1', 'True', false],
    [true, 1, false, 'boolean'],
    [true, 'yes', true],
    ['True', true, true],
    ['yes', 'Correct.', true],
    ['no', 'False', true],
    ['no', 'yes', false],
    ['no', 'not at all', false],
    [null, 'None', true],
    [0, null, false],
  ],
  choices: [
    ['A', 'Final Answer: C) benzaldehyde', false, 'choice', four],
    ['C', 'Final Answer: C) benzaldehyde', true, 'choice', four],
    ['B', '\\boxed{B}', true, 'choice', four],
    ['B', '\\boxed{B}', true],
    ['B', 'b.', true, 'choice', four],
    ['C', 'benzaldehyde', true, 'choice', four],
    ['benzaldehyde', '(C)', true, 'choice', four],
    ['A', 'Because Acetone is cheap, D', false, 'choice', four],
    ['D', 'I think the answer is D', true, 'choice', four],
    ['A', 'A or B', false, 'choice', four],
    ['A', 'The answer is B. A is wrong.', false, 'choice', four],
    ['C', 'vitamin C', true, 'choice', { kind: 'choice' }],
    ['E', 'E', true, 'choice', { kind: 'choice' }],
    ['A', 'AB', false, 'choice', four],
  ],
  'tuples and sets': [
    ['(1,2)', '[1, 2]', true, 'tuple'],
    ['(1,2)', '(2,1)', false],
    ['(1,2)', '{1,2}', false],
    ['(1,2)', '1, 2', true],
    ['(1,2)', '2, 1', false],
    ['{1,2}', '2, 1', true, 'set'],
    ['\\{1, 2\\}', '(2, 1)', true],
    ['2, 3', '3 and 2', true],
    ['2 and 3', [3, 2], true],
    ['2, 3', '2', false],
    ['2, 3', '2, 3, 4', false],
    ['1\\pm2', '3, -1', true],
    ['\\pm 3', '-3, 3', true],
    ['2\\pm\\sqrt{5}', '2-\\sqrt5 \\text{ and } 2+\\sqrt5', true],
    ['{5}', '5', true],
    ['x=1, y=2', 'y=2, x=1', true],
    ['x=1, y=2', 'x=2, y=1', false],
    ['(1/2, 3)', '(0.5, 3.0)', true],
    ['(1,234, 5)', '(1234, 5)', true],
    ['(1,234, 5)', '(1,234, 5)', true],
    [[1, [2, 3]], tag('tuple', [1, tag('tuple', [2, 3])]), true],
    [[1, 2], tag('set', [2, 1]), false],
    ['{1, 2}', tag('set', [2, 1]), true],
    [{ a: 1, b: [2] }, { b: [2], a: 1 }, true],
    [{ a: 1 }, { b: 1 }, false],
    [{ a: 1 }, { a: 2 }, false],
    ['red, green and blue', 'Blue, red, and green', true],
    ['(0.1, 0.14)', '(0.14, 0.14)', true],
  ],
  intervals: [
    ['(-\\infty,3]', '(-\\infty,3)', false, 'interval'],
    ['(-\\infty,3]', '(-inf, 3]', true],
    ['[0,1)', '[0, 1)', true],
    ['[0,1)', '(0,1]', false],
    ['(-\\infty,1)\\cup(2,\\infty)', '(2, ∞) ∪ (-∞, 1)', true],
    ['(-\\infty,1)\\cup(2,\\infty)', '(-∞, 1)', false],
    ['[0,\\frac{1}{2})', '[0, 0.5)', true],
    ['[0,1)', '0 to 1', false],
  ],
  expressions: [
    ['2(x+1)', '2x+2', true, 'expression'],
    ['2(x+1)', '2x+1', false],
    ['2(x+1)', '2y+2', false],
    ['x^2', 'x**2', true],
    ['\\frac{x}{2}', '0.5x', true],
    ['\\sqrt{2}', 1.4142135623730951, true],
    ['\\sqrt{2}', '1.41', false],
    ['2\\sqrt{3}', '\\sqrt{12}', true],
    ['\\sqrt[3]{8}', '2', true],
    ['4', '\\sqrt{16}', true],
    ['2\\pi', '6.283185307', true],
    ['2\\pi r', '2πr', true],
    ['e^x', '\\exp(x)', true],
    ['|x-1|', '|1-x|', true],
    ['\\sin^2 x', '(1-\\cos 2x)/2', true],
    ['\\log_2 8', '3', true],
    ['\\ln x', 'log(x)', true],
    ['x_1 + x_2', 'x_2 + x_1', true],
    ['(x+1)(x-1)', 'x^2-1', true],
    ['-x^2', '(-x)^2', false],
    ['2^{3x}', '8^x', true],
    ['n!', 'factorial(n)', true],
    ['5x', '5', false],
    ['x = 5', '5', true],
    ['f(x) = 2x', '2x', true],
    ['x/2', tag('expr', 'x/2'), true],
    ['\\frac{\\pi}{2}', tag('expr', 'pi/2'), true],
    ['3+4i', tag('complex', ['3', '4']), true],
    ['3-2', '1', false],
    ['2021', '2024-01-02', false],
    ['x', 'y', false],
  ],
  texts: [
    ['Paris', 'paris.', true, 'string'],
    ['Paris', 'Paris, France', false],
    ['Paris', 'Not Paris', false],
    ['New York', 'new   york', true],
    ['Hello, world', 'hello, world!', true],
    ['\\text{blue}', 'Blue', true],
    ['\\textbf{blue}', '**blue**', true],
    ['"yes sir"', 'Yes sir', true],
    ['listen', 'silent', false],
    ['red-hot', 'der-hot', false],
    ['H2O', 'HO2', false],
    ['version 2', '2 version', false],
    ['Dr. No', 'The answer is Dr. No.', true],
    ['Rome', 'I am sure. The final answer is: Rome. It was easy.', true],
    ['57', 'Sales are 72.\n#### 57', true],
    ['57', 'We get 72, then \\boxed{57}. Not 72.', true],
    ['57', '\\boxed{\\frac{114}{2}}', true],
    ['57', '**Final answer:** 57', true],
    ['57', 'The answer might be 57', false],
    ['3.0', '3', false, 'string', { kind: 'string' }],
  ],
};

describe('comparing answers', () => {
  it('[tool-library 22] reads the table', () => {
    const rows = Object.values(TABLE).flat();
    expect(rows.length).toBeGreaterThanOrEqual(120);
    const wrong = rows.filter(([gold, value, equal, kind, options]) => {
      const got = compareAnswer(gold, value, options);
      return got.equal !== equal || (kind !== undefined && got.kind !== kind) || (!equal && !got.reason);
    });
    expect(wrong.map((row) => [...row.slice(0, 3), compareAnswer(row[0], row[1], row[4])])).toEqual([]);
  });

  it('finds the final answer', () => {
    expect(finalAnswer('so \\boxed{1} no: \\boxed{\\frac{1}{2}} done')).toBe('\\frac{1}{2}');
    expect(finalAnswer('\\boxed{1} and \\boxed{2')).toBe('1');
    expect(finalAnswer('Final answer:\n\n**42**\nthanks')).toBe('42**');
    expect(finalAnswer('  plain ')).toBe('plain');
  });

  const tagged = fc.oneof(
    fc.tuple(fc.constantFrom('tuple', 'set', 'frozenset', 'dict'), fc.array(fc.jsonValue())),
    fc.tuple(fc.constantFrom('Fraction', 'complex'), fc.tuple(fc.string(), fc.string())),
    fc.tuple(fc.constantFrom('Decimal', 'int', 'float', 'expr', 'bytes', 'odd'), fc.string()),
  );
  const mathText = fc
    .array(
      fc.constantFrom(
        '\\frac', '\\sqrt', '{', '}', '(', ')', '[', ']', '|', ',', ';', ' and ', 'x', 'sin', '\\pm', '^', '_', '!', '1', '23',
        '1,000', '.', '/', '-', '+', '=', '%', ' km', '\\boxed{', '####', 'answer is ', '∞', '½', '\\text{', 'Yes', '$', ' ',
      ),
      { maxLength: 40 },
    )
    .map((parts) => parts.join('')); // prettier-ignore
  const answer = fc.oneof(
    fc.string({ unit: 'binary' }),
    mathText,
    fc.double().map((value) => (Number.isFinite(value) ? value : null)),
    fc.jsonValue(),
    tagged.map(([kind, v]) => ({ $: kind, v })),
  ) as fc.Arbitrary<Json>;

  it('never throws, and all but NaN equals itself', () => {
    fc.assert(
      fc.property(answer, answer, fc.boolean(), (gold, value, choice) => {
        const options = choice ? four : {};
        compareAnswer(gold, value, options);
        const nan = /nan/i.test(JSON.stringify(gold));
        expect(nan || compareAnswer(gold, gold, options).equal).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    '\\boxed{',
    '(',
    '((1,2),',
    '1,',
    '.',
    '. a',
    '\\text{',
    '{{1},',
    '-',
    '!',
    'x^',
    'answer is ',
    '\\sqrt',
    '1\\pm',
    'and ',
    '$',
    '"',
    'a/',
    '9',
    '½',
    '\\frac{1}',
    '|x',
  ])('reads 100,000 characters of %j in bounded time', (part) => {
    const text = part.repeat(Math.ceil(100_000 / part.length));
    const other = `${text.slice(1)}x`;
    // A quadratic reading would run into the test's time limit.
    expect(compareAnswer(text, text).equal).toBe(true);
    expect(compareAnswer(text, `${other}7`).equal).toBe(false);
  });

  it('ends on nested sets that differ', () => {
    const inner = (seed: number): Json =>
      tag(
        'set',
        Array.from({ length: 60 }, (_, index) => (index * 7 + seed) % 97),
      );
    const set = (seed: number): Json =>
      tag(
        'set',
        Array.from({ length: 60 }, (_, index) => inner(index * seed)),
      );
    expect(compareAnswer(set(1), set(3)).equal).toBe(false);
    expect(compareAnswer(set(1), set(1)).equal).toBe(true);
  });
});
