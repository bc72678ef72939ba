import { expect, test } from 'vitest';
import type { SolveWithToolsInput } from '#functions/tool-library/roles/solve-with-tools.ts';
import { runShard, type Script } from './shard-loop.ts';

const MUFFINS = {
  question: 'A stall sells 24 muffins at $3 each and pays $15 rent. How much profit does it make?',
  reasoning: 'Sales are 24*3=<<24*3=72>>72. Profit is 72-15=<<72-15=57>>57.',
  answer: '57',
};
const CODE =
  'def stall_profit(muffins: float, price: float, rent: float) -> float:\n    return muffins * price - rent\n';
const CALL = 'stall_profit(muffins=24, price=3, rent=15)';
const block = { tags: ['profit'], code: CODE, call: CALL };
const isRole = (name: string) => (request: { role: { name: string } }) =>
  request.role.name === `tool-library/${name}`;
const [extracts, solves, judges, refines, fixes] = [
  'extract-tools',
  'solve-with-tools',
  'judge-tools',
  'refine-tools',
  'fix-syntax',
].map(isRole);

test('[tool-library 8] the stall: parameters for 24, 3 and 15; the call gives 57; solved without gold, call or reasoning', async () => {
  const { tools, cases, rejects, asked } = await runShard([MUFFINS]);
  expect(rejects).toEqual([]);
  expect(tools).toHaveLength(1);
  const [tool] = tools;
  expect(Object.keys(tool!.schema.properties as object)).toEqual(['muffins', 'price', 'rent']);
  expect(tool!.validated).toBe('resolved');
  expect(tool!.evidence).toEqual({ runs: 2, called: 2, mattered: 2, rightWithoutCall: 0 });
  expect(cases.find(({ expectedFrom }) => expectedFrom === 'gold')).toMatchObject({
    call: `${tool!.name}(muffins=24, price=3, rent=15)`,
    expected: '57',
  });
  for (const request of asked.filter((each) => solves!(each))) {
    const text = JSON.stringify([request.messages, request.input]);
    if ((request.input as SolveWithToolsInput).dialogue.length === 0) expect(text).not.toContain('57');
    expect(text).not.toContain('muffins=24');
    expect(text).not.toContain('Sales are');
  }
});

test('[tool-library 9] a wrong annotation is ANNOTATION_MISMATCH', async () => {
  const { tools, rejects } = await runShard([
    { ...MUFFINS, reasoning: 'Sales are <<24*3=75>>75. Profit is <<75-15=60>>60.', answer: '60' },
    { ...MUFFINS, reasoning: 'They earn a lot.', answer: '61' },
  ]);
  expect(tools).toEqual([]);
  expect(rejects.map(({ code }) => code)).toEqual(['ANNOTATION_MISMATCH', 'ANSWER_NOT_REACHED']);
  expect(rejects[0]!.message).toContain('24*3=75');
});

test('[tool-library 1] of two blocks, one without code: one tool, one BLOCK_INCOMPLETE; none is GENERATION_EMPTY with the raw text kept', async () => {
  const script: Script = (request) => {
    if (!extracts!(request)) return undefined;
    return request.id.includes('second')
      ? { tools: [] }
      : request.id.includes('third')
        ? { raw: 'I cannot.' }
        : { tools: [block, { tags: [], call: 'f(1)' }] };
  };
  const rows = [MUFFINS, { ...MUFFINS, id: 'second' }, { ...MUFFINS, id: 'third' }];
  const { tools, rejects } = await runShard(rows, { script, input: { validation: 'execute' } });
  expect(tools.map(({ name }) => name)).toEqual(['stall_profit']);
  expect(rejects.map(({ code }) => code)).toEqual([
    'BLOCK_INCOMPLETE',
    'GENERATION_EMPTY',
    'GENERATION_EMPTY',
  ]);
  expect(rejects[2]!.evidence).toMatch(/create\/00000\/results\/extract-tools-r1\.jsonl$/);
});

test('[tool-library 5] wrong, wrong, right is admitted in round 3 after three transcripts a run; always wrong is NOT_SOLVED', async () => {
  const script: Script = (request) => {
    if (extracts!(request) || refines!(request)) return { tools: [block] };
    if (!solves!(request)) return undefined;
    const { question, dialogue } = request.input as SolveWithToolsInput;
    if (dialogue.length === 0)
      return { call: { name: 'stall_profit', arguments: { muffins: 24, price: 3, rent: 15 } } };
    const round = 1 + Math.floor((request.params!.sample ?? 0) / 1);
    return { answer: question.includes('never') || round < 3 ? '56' : dialogue.at(-1)!.value! };
  };
  const rows = [MUFFINS, { ...MUFFINS, question: `${MUFFINS.question} (never)` }];
  const { tools, rejects, items, asked } = await runShard(rows, { script, input: { solve: { repeats: 1 } } });
  expect(tools).toHaveLength(1);
  expect(tools[0]!.lineage.rounds).toBe(3);
  expect(items.map(({ attempts }) => attempts)).toEqual([3, 3]);
  expect(rejects).toMatchObject([{ code: 'NOT_SOLVED', round: 3 }]);
  const refined = asked.filter((request) => refines!(request));
  expect(refined).toHaveLength(4);
  expect(JSON.stringify(refined[0]!.input)).toContain('No attempt gave the right answer');
});

test('[tool-library 6] a right answer without a call, or against a changed value, is NOT_USED', async () => {
  const script: Script = (request) => {
    if (extracts!(request) || refines!(request)) return { tools: [block] };
    if (!solves!(request)) return undefined;
    const { question, dialogue } = request.input as SolveWithToolsInput;
    if (!question.includes('stubborn') || dialogue.length > 0) return { answer: '57' };
    return { call: { name: 'stall_profit', arguments: { muffins: 24, price: 3, rent: 15 } } };
  };
  const rows = [MUFFINS, { ...MUFFINS, question: `${MUFFINS.question} (stubborn)` }];
  const { tools, rejects, items } = await runShard(rows, {
    script,
    input: { solve: { repeats: 1, counterfactual: true }, rounds: { create: 1 } },
  });
  expect(tools).toEqual([]);
  expect(rejects.map(({ code }) => code)).toEqual(['NOT_USED', 'NOT_USED']);
  expect(items[1]!.transcripts[0]!.counterfactual).toEqual({ changed: '58', answer: '57', voided: true });
});

const tool = (code: string, call: string, answer: unknown = 24) =>
  ({ question: 'What do 12 times 2 make?', answer, code, call }) as never;

test('[tool-library 7] a handler that returns the answer, a constant, and other tools that only seem to work', async () => {
  const rows = [
    tool(
      'def f(a, b):\n    try:\n        return a * missing\n    except Exception:\n        return 24\n',
      'f(12, 2)',
    ),
    tool('def f(a, b):\n    return 24\n', 'f(12, 2)'),
    tool('def f(a=None, b=None):\n    if a is None:\n        return 24\n    return a * b\n', 'f(12, 2)'),
    tool('def f(a, b):\n    return a * b if a > 100 else 24 + a * b - 24\n', 'f(12, 2)'),
    tool('import random\ndef f(a, b):\n    return a * b + random.random() * 1e-6\n', 'f(12, 2)'),
    tool('def f(a, b):\n    return a * b\n', 'f(12, 2)'),
  ];
  const { tools, rejects } = await runShard(rows);
  expect(rejects.map(({ code }) => code)).toEqual([
    'SWALLOWS_ERRORS',
    'CONSTANT_FUNCTION',
    'SWALLOWS_ERRORS',
    'ANSWER_LITERAL',
    'NONDETERMINISTIC',
  ]);
  expect(tools).toHaveLength(1);
});

test('[tool-library 3] a syntax error names its line; code that never ends is TIMEOUT and the next case is fine', async () => {
  const broken = 'def f(a, b):\n    total = a * b\n    return total +\n';
  const rows = [
    tool(broken, 'f(12, 2)'),
    tool('while True:\n    pass\ndef f(a, b):\n    return a * b\n', 'f(12, 2)'),
    tool('def f(a, b):\n    return a * b\n', 'f(12, 2)'),
    tool('```python\ndef g(a, b)\n    return (a * b\n```', 'g(12, 2)'),
  ];
  const { tools, rejects, asked } = await runShard(rows, { input: { sandbox: { timeoutMs: 400 } } });
  expect(rejects.map(({ code }) => code).sort()).toEqual(['SYNTAX_ERROR', 'TIMEOUT']);
  expect(rejects.find(({ code }) => code === 'SYNTAX_ERROR')!.message).toMatch(/^Line 3: /);
  expect(asked.filter((request) => fixes!(request)).map(({ input }) => input)).toMatchObject([
    { line: 3 },
    {},
  ]);
  expect(tools.map(({ name }) => name).sort()).toEqual(['f', 'g']);
});

test('reasoning that is Python: its assignments become parameters, be it statements or one function without any', async () => {
  const body = ['muffins = 24', 'price: int = 3', 'rent = 15', 'sales = muffins * price'];
  const indented = body.map((line) => `    ${line}`).join('\n');
  const reasonings = [
    `${body.join('\n')}\nprint(sales - rent)`,
    `${body.join('\n')}\nreturn sales - rent`,
    `Here it is.\n\`\`\`python\n${body.join('\n')}\nsales - rent\n\`\`\``,
    `def solution():\n    """Work it out."""\n${indented}\n    return sales - rent\n\nprint(solution())`,
  ];
  const { tools, rejects } = await runShard(
    reasonings.map((reasoning, n) => ({ ...MUFFINS, id: `r${n}`, reasoning })),
  );
  expect(rejects).toEqual([]);
  expect(tools.map(({ schema }) => Object.keys(schema.properties as object))).toEqual(
    reasonings.map(() => ['muffins', 'price', 'rent']),
  );
});

test('the judge may refuse what the evidence bears out, never admit what it does not', async () => {
  const verdict = (value: string) => ({
    utility: '',
    use: '',
    correctness: '',
    generality: '',
    verdict: value,
    improvements: ['Name the rent.'],
  });
  const strict = await runShard([MUFFINS], {
    script: (request) => (judges!(request) ? verdict('INEFFECTIVE') : undefined),
    input: { rounds: { create: 1 } },
  });
  expect(strict.rejects).toMatchObject([
    { code: 'NOT_SOLVED', message: 'The judge found the tool ineffective: Name the rent.' },
  ]);
  const generous = await runShard([MUFFINS], {
    script: (request) =>
      judges!(request) ? verdict('EFFECTIVE') : solves!(request) ? { answer: '56' } : undefined,
    input: { rounds: { create: 1 } },
  });
  expect(generous.tools).toEqual([]);
});
