import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluate, parseArithmetic } from '#functions/tool-library/builtin/arithmetic.ts';
import { extractTool } from '#functions/tool-library/builtin/extract.ts';
import { finalNumber } from '#functions/tool-library/builtin/final-number.ts';
import { fixSyntax } from '#functions/tool-library/builtin/fix-syntax.ts';
import { assign } from '#functions/tool-library/builtin/matching.ts';
import { mentionsOf } from '#functions/tool-library/builtin/mentions.ts';
import { solve } from '#functions/tool-library/builtin/solve.ts';
import { readSteps } from '#functions/tool-library/builtin/steps.ts';
import { ToolLibraryInputSchema } from '#functions/tool-library/input.ts';
import { MAX_ROW_BYTES, readRow } from '#functions/tool-library/ingest/rows.ts';

const extracted = (question: string, reasoning: string, answer: string) => {
  const made = extractTool({ question, reasoning, answer });
  if (!made.ok) throw new Error(made.message);
  return made.tool;
};

test('arithmetic as solutions write it', () => {
  const value = (text: string) => evaluate(parseArithmetic(text)!);
  expect([
    value('2+3*4'),
    value('(2+3)x4'),
    value('$1,200/4'),
    value('50%*8'),
    value('2^3'),
    value('-3+1'),
    value('3 × 4 ÷ 2'),
    value('1 1/2 + 1'),
  ]).toEqual([14, 20, 300, 4, 8, -2, 6, 2.5]);
  expect(['', '2+', 'x', '2 3', '(1', '1..2'].map((text) => parseArithmetic(text) === undefined)).toEqual(
    Array(6).fill(true),
  );
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'0123456789+-*/()%.$, x^'), maxLength: 60 }),
      (text) => void parseArithmetic(text),
    ),
  );
  // What begins with a number need not be one.
  expect(
    ['2024-01-31', '2:30', '3, 4', '5 to 7', '1-2', 'The answer is 4.', '\\boxed{9}', '7.'].map(finalNumber),
  ).toEqual([undefined, undefined, undefined, undefined, undefined, 4, 9, 7]);
  expect(['57', '$1,080', '850,000', '-2.5', '3/4', '1 1/2', '12 apples', 'none'].map(finalNumber)).toEqual([
    57,
    1080,
    850000,
    -2.5,
    0.75,
    1.5,
    12,
    undefined,
  ]);
});

test('steps: annotations, equations written out, rounding; any text is read', () => {
  const read = readSteps(
    '14 pieces/house * 60 houses = 840 pieces. Then 100/3=<<100/3=33>>33 boys, 1.5 / .5 = <<3=3>>3.',
  );
  expect(read).toMatchObject({
    ok: true,
    steps: [
      { value: 840, annotated: false },
      { value: 33, rounding: { how: 'round', decimals: 0 } },
      { value: 3 },
    ],
  });
  expect(readSteps('<<24*3=75>>')).toMatchObject({ ok: false });
  fc.assert(
    fc.property(fc.string({ maxLength: 100 }), (text) => void readSteps(text)),
    { numRuns: 40 },
  );
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom(...'0123456789+-*/<>=. ab'), maxLength: 120 }),
      (text) => void readSteps(text),
    ),
  );
});

test('operands are bound to the numbers they come from: percentages, halves, weeks, fractions, cents', () => {
  const percent = extracted(
    'A coat of $80 is 25% off. What does it cost?',
    'It costs 80*.75=<<80*.75=60>>60.',
    '60',
  );
  expect(percent.code).toContain('return coat * (1 - coat_percent / 100)');
  const half = extracted(
    'Ann reads 48 pages on Monday and half as many pages on Friday. How many pages in all?',
    'Friday 48/2=<<48/2=24>>24. All 48+24=<<48+24=72>>72.',
    '72',
  );
  expect(half.code).toContain('pages * pages_factor');
  expect(half.call).toBe('pages_total(pages=48, pages_factor=0.5)');
  const weeks = extracted(
    'Bo walks 3 miles a day for two weeks. How many miles?',
    'He walks 3*14=<<3*14=42>>42 miles.',
    '42',
  );
  expect(weeks.code).toContain('weeks * 7');
  const share = extracted(
    'Of 60 apples 3/4 are red. How many apples are red?',
    '60*3/4=<<60*3/4=45>>45.',
    '45',
  );
  expect(share.call).toContain('=0.75');
  for (const { code } of [percent, half, weeks, share]) expect(code).toMatch(/"""[A-Z][^\n]*\.\n\n {4}Args:/);
});

test('mentions: numbers, words, multiples, with names of people left out', () => {
  const found = mentionsOf('Twice a week Tom pays $3.50, and 20% of the two dozen rolls go to Maria.');
  expect(found.map(({ value }) => value)).toEqual([2, 3.5, 20, 2, 12]);
  expect(found[1]).toMatchObject({ money: true, percent: false });
  expect(found[2]).toMatchObject({ percent: true });
  expect(found.flatMap(({ before, after }) => [...before, ...after])).not.toContain('maria');
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => void mentionsOf(text)));
});

test('solving: numbers go where the words say, whatever their order; extra numbers are left out', () => {
  const description = (text: string) => ({ type: 'number', description: text });
  const tool = {
    name: 'profit',
    description: 'Profit of a stall.',
    parameters: {
      type: 'object',
      properties: {
        rent: description('rent paid'),
        muffins: description('muffins sold'),
        price: description('price of each, in dollars'),
      },
      required: ['rent', 'muffins', 'price'],
    },
  };
  const question =
    'On 2 days a stall pays $15 rent and sells 24 muffins at a price of $3. What is its profit?';
  const move = solve({ question, tools: [tool], dialogue: [] });
  expect(move).toEqual({ call: { name: 'profit', arguments: { rent: 15, muffins: 24, price: 3 } } });
  const dialogue = [{ call: { name: 'profit', arguments: {} }, value: '57' }];
  expect(solve({ question, tools: [tool], dialogue })).toEqual({ answer: '57' });
  expect(solve({ question: 'What now?', tools: [tool], dialogue: [] })).toEqual({ answer: 'unknown' });
});

test('assignment of greatest weight, against trying all', () => {
  const weights = fc.integer({ min: 1, max: 4 }).chain((rows) =>
    fc.array(fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 5, maxLength: 5 }), {
      minLength: rows,
      maxLength: rows,
    }),
  );
  const best = (rows: number[][], used: number[] = []): number => {
    const [row, ...rest] = rows;
    if (!row) return 0;
    return Math.max(
      ...row.map((weight, n) => (used.includes(n) ? -Infinity : weight + best(rest, [...used, n]))),
    );
  };
  fc.assert(
    fc.property(weights, (rows) => {
      const columns = assign(rows);
      expect(new Set(columns).size).toBe(rows.length);
      expect(columns.reduce((sum, column, row) => sum + rows[row]![column]!, 0)).toBe(best(rows));
    }),
  );
});

test('repairs of syntax stay small, and any text is taken', () => {
  expect(
    fixSyntax({ code: '```python\ndef f(a)\n    return a\n```', error: 'invalid syntax', line: 1 }).code,
  ).toBe('def f(a):\n    return a');
  expect(
    fixSyntax({ code: 'def f(a):\n    return (a * (2 + 1)\n', error: "'(' was never closed", line: 2 }).code,
  ).toBe('def f(a):\n    return (a * (2 + 1))\n');
  expect(
    fixSyntax({ code: 'def f(a):\n  b = a\n   return b\n', error: 'unexpected indent', line: 3 }).code,
  ).toBe('def f(a):\n    b = a\n    return b\n');
  fc.assert(
    fc.property(
      fc.string({ maxLength: 200 }),
      fc.constantFrom('invalid syntax', 'unexpected indent', "unmatched ')'", 'unterminated string literal'),
      fc.nat(9),
      (code, error, line) => {
        expect(typeof fixSyntax({ code, error, line }).code).toBe('string');
      },
    ),
  );
});

test('rows: aliases, fields of its own, reasoning in the answer or a list; what is missing is named', () => {
  const read = (row: unknown, fields = {}) => readRow(row as never, 7, { format: 'auto', fields });
  expect(read({ problem: 'Q?', gold: 'It is 1+1=2. #### 2' })).toMatchObject({
    kind: 'problem',
    row: { question: 'Q?', reasoning: 'It is 1+1=2.', answer: '2' },
  });
  expect(
    read(
      { q: 'Q?', solution: ['', { text: 'so' }], a: 2 },
      { question: 'q', reasoning: 'solution', answer: 'a' },
    ),
  ).toMatchObject({ row: { reasoning: 'so', answer: '2' } });
  expect(
    read({ query: 'Q?', target: [1], tool_code: 'def f(): return [1]', example_call: 'f()' }),
  ).toMatchObject({ kind: 'tool', row: { answer: [1] } });
  expect(read({ question: 'Q?', answer: '2' })).toMatchObject({
    reject: { code: 'FIELD_MISSING', message: 'Line 7 has no reasoning; name yours in `fields`.' },
  });
  expect(read([1])).toMatchObject({ reject: { code: 'BAD_ROW' } });
  expect(MAX_ROW_BYTES).toBe(262_144);
  fc.assert(fc.property(fc.jsonValue(), (row) => void read(row)));
});

test('the job input is strict, with every default filled', () => {
  const input = ToolLibraryInputSchema.parse({ source: 'x.jsonl', libraryId: 'ab' });
  expect(input).toMatchObject({
    format: 'auto',
    solve: { repeats: 2, maxTurns: 10, counterfactual: false },
    rounds: { create: 3, blueprint: 2, aggregate: 3 },
    tree: { seed: 1000, batch: 200, depth: 4, minCluster: 2, maxCluster: 300 },
    review: 'all',
    publish: { alias: 'latest' },
    evaluate: false,
    seed: 1,
  });
  for (const bad of [
    { libraryId: 'A' },
    { x: 1 },
    { rounds: { create: 4 } },
    { solve: { repeats: 6 } },
    { source: [] },
    { sandbox: { packages: ['numpy'] } },
    { models: { nobody: 'x' } },
  ]) {
    expect(
      ToolLibraryInputSchema.safeParse({ source: 'x.jsonl', libraryId: 'ab', ...bad }).success,
      JSON.stringify(bad),
    ).toBe(false);
  }
});
