import type { RoleKey } from '#functions/tool-library/input.ts';

/** What the builtin algorithms are asked, each role some of everything it knows: their answers are on record. */

const GOODS = ['muffins', 'pencils', 'candles', 'lemons', 'bricks'];

/** Solved problems in the ways solutions are written. */
const problems = GOODS.flatMap((goods, n) => {
  const [many, each, rest] = [12 + 7 * n, 3 + n, 5 + 2 * n];
  const all = many * each;
  return [
    {
      question: `A stall sells ${many} ${goods} at $${each} each and pays $${rest} rent. How much profit does it make?`,
      reasoning: `Sales are ${many}*${each}=$<<${many}*${each}=${all}>>${all}. Profit is <<${all}-${rest}=${all - rest}>>${all - rest}.`,
      answer: `$${all - rest}`,
    },
    {
      question: `Tom packs ${all} ${goods} into boxes of ${each}. Twice as many boxes are red as blue. How many boxes are there altogether?`,
      reasoning: `There are ${all} / ${each} = ${many} boxes.`,
      answer: `\\boxed{${many}} boxes`,
    },
    {
      question: `${many} percent of ${all} ${goods} are sold in two weeks. How many ${goods} are sold?`,
      reasoning: `<<${many}*.01=${many / 100}>>${many / 100}, so <<${many / 100}*${all}=${(many * all) / 100}>>.`,
      answer: String((many * all) / 100),
    },
    {
      question: `Half of ${all} ${goods} are gone, then ${rest} more. How many are left?`,
      reasoning: `<<${all}/2=${all / 2}>> are left, then <<${all / 2}-${rest}=${all / 2 - rest + (n === 4 ? 9 : 0)}>>.`,
      answer: `The final answer is ${all / 2 - rest}`,
    },
    {
      question: `When do the ${goods} come?`,
      reasoning: 'On Monday.',
      answer: ['2:30', '2024-01-31'][n % 2]!,
    },
  ];
});

const python = {
  question: 'A pool holds 900 litres and loses 7 litres an hour. How much is in it after 12 hours?',
  reasoning: '',
  answer: '816',
  analysis: {
    python: [
      { text: 'import math', kind: 'import' },
      { text: 'litres = 900', kind: 'assign', target: 'litres', number: 900 },
      { text: 'loss: int = 7', kind: 'assign', target: 'loss', number: 7 },
      { text: 'hours = 12', kind: 'assign', target: 'hours', number: 12 },
      { text: 'return litres - loss * hours', kind: 'return', value: 'litres - loss * hours' },
    ],
  },
};
const solved = [...problems.map((problem) => ({ ...problem, analysis: {} })), python];

const parameter = (type: string, description: string) => ({ type, description });
const profit = {
  name: 'stall_profit',
  description: 'Profit of a stall.',
  parameters: {
    type: 'object',
    properties: {
      price: parameter('number', 'sells at $_ each'),
      muffins: parameter('number', 'sells _ muffins'),
      rent: parameter('number', 'pays $_ rent'),
    },
    required: ['price', 'muffins', 'rent'],
  },
};
const share = {
  name: 'share',
  description: 'What each gets.',
  parameters: {
    type: 'object',
    properties: { people: parameter('integer', 'among people'), goods: parameter('number', 'goods shared') },
    required: ['people', 'goods'],
  },
};
const asked = problems.map(({ question }) => ({ question, tools: [profit, share], dialogue: [] }));

const evidence = { runs: 2, called: 2, mattered: 1, rightWithoutCall: 0 };
const transcript = (right: boolean) => ({ model: 'builtin', turns: [], answer: '57', right });
const judged = [
  [evidence, true],
  [{ ...evidence, mattered: 0 }, true],
  [{ ...evidence, called: 0, mattered: 0 }, false],
].map(([tool, right]) => ({
  question: 'How much?',
  answer: '57',
  tools: [{ name: 'profit', code: 'def profit(): ...', evidence: tool }],
  transcripts: [transcript(right as boolean)],
}));

const BROKEN: [code: string, error: string, line: number][] = [
  ['def f(a)\n    return a', "expected ':'", 1],
  ['def f(a:\n    return a', "'(' was never closed", 1],
  ['```python\ndef f(a):\n    return a\n```', 'invalid syntax', 1],
  ['def f(a):\nreturn a', 'expected an indented block', 2],
  ['def f(a):\n\tb = a\n        return b', 'inconsistent use of tabs', 3],
  ['def f(a):\n    return a)', "unmatched ')'", 2],
  ['def f(a):\n    return “a”', 'invalid character', 2],
  ["def f(a):\n    return 'a", 'unterminated string literal', 2],
  ['def f(a):\n    x = [1, (2\n    return x', "'[' was never closed", 2],
];

const topics = ['interest', 'speed', 'profit', 'area', 'share'].map((topic, n) => ({
  name: `${GOODS[n]!}_${topic}`,
  description: `The ${topic} of ${GOODS[n]!}.`,
  tags: [topic],
}));
const design = { name: 'stall', description: 'Selling.', classes: [], functions: [], covered: [1, 2] };
const source = { number: 1, name: 'profit', description: '', code: 'def profit(a, b):\n    return a * b' };
const code = {
  module: '',
  functions: [{ name: 'profit', code: 'def profit(a, b):\n    return a * b' }],
  mapping: [],
};
const views = [{ name: 'profit', code: source.code, cases: [] }];
const execution = {
  caseId: 'c_1',
  tool: 'profit',
  call: 'profit(a=1, b=2)',
  expected: '2',
  given: '2',
  passed: true,
  agreed: 8,
  compared: 8,
};

export const INPUTS: Record<RoleKey, readonly object[]> = {
  'extract-tools': solved,
  'refine-tools': [2, 3].flatMap((round) =>
    solved.map((problem) => ({ ...problem, tools: [], improvements: [], failures: [], round })),
  ),
  'fix-syntax': BROKEN.map(([text, error, line]) => ({ code: text, error, line })),
  'solve-with-tools': [
    ...asked,
    { ...asked[0]!, dialogue: [{ call: { name: 'share', arguments: {} }, value: '57' }] },
    { ...asked[0]!, dialogue: [{ call: { name: 'share', arguments: {} }, error: 'no' }] },
  ],
  'judge-tools': judged,
  'seed-clusters': [3, 4].map((depth) => ({
    depth,
    tools: topics,
    analysis: {
      merges: [
        [0, 1, 0.2],
        [2, 3, 0.5],
        [5, 6, 0.7],
        [7, 4, 0.9],
      ],
    },
  })),
  'update-clusters': [
    {
      depth: 4,
      tree: [
        { id: 'root', parent: null, level: 1, description: 'All.' },
        { id: 'money', parent: 'root', level: 2, description: 'Money.' },
      ],
      tools: topics,
      analysis: {
        groups: [
          { parent: 'money', tools: [1, 3] },
          { parent: 'root', tools: [2] },
        ],
      },
    },
  ],
  'assign-clusters': [
    {
      leaves: [{ id: 'money', path: 'money', description: '' }],
      tools: topics,
      analysis: { nearest: Array(5).fill('money') },
    },
  ],
  blueprint: [{ path: ['money'], description: '', tools: [source], analysis: { sibs: [design] } }],
  'widen-blueprint': [
    {
      sib: design,
      suggestions: [],
      tools: [source],
      others: [],
      analysis: { sib: { ...design, covered: [1, 2, 3] } },
    },
  ],
  'review-blueprint': [true, false].map((hasBucket) => ({
    sib: design,
    tool: source,
    question: 'How much?',
    call: 'profit(1, 2)',
    analysis: { hasBucket },
  })),
  'write-code': [{ sib: design, tools: views, analysis: { draft: code } }],
  'patch-code': [{ sib: design, tools: views, analysis: { draft: code }, code, feedback: [] }],
  'review-code': [
    [],
    [execution],
    [{ ...execution, passed: false, given: '3' }],
    [{ ...execution, agreed: 7, difference: 'profit(0, 1) gives 0, it gives 1.' }],
  ].map((executions) => ({ sib: design, code, executions, transcripts: [], unmapped: [] })),
};
