import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collectTools } from '#functions/tool-library/collect/collect.ts';
import { ingest, type ShardPointer } from '#functions/tool-library/ingest/ingest.ts';
import { allRows } from '#functions/tool-library/io.ts';
import { keys } from '#functions/tool-library/keys.ts';
import { closeAnalyser } from '#functions/tool-library/python/analyser.ts';
import type { Reject } from '#functions/tool-library/records.ts';
import { closeSandboxes } from '#functions/tool-library/sandbox.ts';
import type { Case, Tool } from '#shared/library/types.ts';
import { importedPile } from '#test/e2e/tool-pile.ts';
import { embeddedRuntime } from '#test/support/runtime.ts';
import { refactorTools } from './refactor-loop.ts';
import { configFor, contextOf, driveShard } from './shard-loop.ts';

/** Whatever a pile holds, each of its rows is admitted, collapsed, a duplicate, or rejected with the code of its fault. `AGENTMILL_PILES=20` tries so many new piles. */

/** A line of a source, and what is to become of it: a code, or `tool`. */
interface Line {
  text: string;
  fate: string;
}

const row = (fate: string, value: object): Line => ({ text: JSON.stringify(value), fate });

/** A tool by its kind; `n` tells those of one kind apart. */
const TOOLS: Record<string, (n: number) => [code: string, call: string, answer: unknown]> = {
  tool: (n) => [`def sum_${n}(a, b):\n    return a + b * ${n + 3}\n`, `sum_${n}(a=4, b=5)`, 4 + 5 * (n + 3)],
  'tool, of one name': (n) => [
    `def total(total, n${n}):\n    return total * n${n} - ${n}\n`,
    `total(6, n${n}=7)`,
    42 - n,
  ],
  'tool, a list': (n) => [`def list_${n}(n):\n    return [${n}, n]\n`, `x = list_${n}(5)`, [n, 5]],
  'tool, a table': (n) => [
    `def table_${n}(n):\n    """T."""\n    return {'a': n, 'b': [True, None]}\n`,
    `table_${n}(${n + 7})`,
    { a: n + 7, b: [true, null] },
  ],
  'tool, a text': (n) => [
    `def text_${n}(s, *, times=2):\n    return s * times + '🙂'\n`,
    `word = 'ab${n}'\nprint(text_${n}(word))`,
    `ab${n}ab${n}🙂`,
  ],
  'tool, yes or no': (n) => [`def even_${n}(a):\n    return (a + ${n}) % 2 == 0\n`, `even_${n}(${n})`, true],
  'tool, a float': (n) => [
    `def part_${n}(a):\n    return a / ${n + 2}\n`,
    `round(part_${n}(1), 9)`,
    1 / (n + 2),
  ],
  'tool, with a class': (n) => [
    `class Box:\n    def __init__(self, a):\n        self.a = a\ndef boxed_${n}(a):\n    import math\n    return math.floor(Box(a).a) + ${n}\n`,
    `boxed_${n}(2.5)`,
    2 + n,
  ],
  'tool, by recursion': (n) => [
    `def fact_${n}(k):\n    return 1 if k < 2 else k * fact_${n}(k - 1) + ${n}\n`,
    `fact_${n}(3)`,
    6 + 4 * n,
  ],
  'tool, fixed by itself': (n) => [`def open_${n}(a)\n    return a - ${n}\n`, `open_${n}(50)`, 50 - n],
  UNSUPPORTED_CALL: (n) => [`def two_${n}(a):\n    return a\n`, `two_${n}(1) + two_${n}(2)`, 3],
  'UNSUPPORTED_CALL, async': (n) => [`async def late_${n}(a):\n    return a\n`, `late_${n}(1)`, 1],
  SYNTAX_ERROR: (n) => [`def bad_${n}(a):\n    return a +* ${n}\n`, `bad_${n}(1)`, 1],
  SCHEMA_INVALID: (n) => [`def spread_${n}(*a):\n    return sum(a)\n`, `spread_${n}(1, 2)`, 3],
  POLICY_IMPORT: (n) => [`import os\ndef shell_${n}(a):\n    return a\n`, `shell_${n}(1)`, 1],
  PACKAGE_UNAVAILABLE: (n) => [`import numpy\ndef frame_${n}(a):\n    return a\n`, `frame_${n}(1)`, 1],
  EXEC_ERROR: (n) => [`def broken_${n}(a):\n    return a / 0\n`, `broken_${n}(1)`, 1],
  'EXEC_ERROR, a text cut in half': (n) => [
    `def half_${n}(a):\n    return '\\ud83d' + a\n`,
    `half_${n}('${n}')`,
    'x',
  ],
  WRONG_VALUE: (n) => [`def wrong_${n}(a):\n    return a + ${n}\n`, `wrong_${n}(1)`, 1000],
  'WRONG_VALUE, no number': (n) => [`def nan_${n}(a):\n    return a * float('nan')\n`, `nan_${n}(1)`, 'nan'],
  CONSTANT_FUNCTION: (n) => [`def same_${n}(a):\n    return ${n + 40}\n`, `same_${n}(1)`, n + 40],
  SWALLOWS_ERRORS: (n) => [
    `def quiet_${n}(a):\n    try:\n        return a / 0\n    except Exception:\n        return ${n + 40}\n`,
    `quiet_${n}(1)`,
    n + 40,
  ],
  ANSWER_LITERAL: (n) => [
    `def known_${n}(a):\n    return ${n + 40} if a == 3 else a\n`,
    `known_${n}(3)`,
    n + 40,
  ],
  NONDETERMINISTIC: (n) => [
    `import random\ndef dice_${n}(a):\n    return random.choice([a, a + 0.000000000001, a - 0.000000000001, a + 0.000000000002])\n`,
    `dice_${n}(${n + 6})`,
    n + 6,
  ],
};

const LINES: Record<string, (n: number) => Line> = {
  ...Object.fromEntries(
    Object.entries(TOOLS).map(([kind, make]) => [
      kind,
      (n: number) => {
        const [code, call, answer] = make(n);
        return row(kind.split(',')[0]!, { question: `What of ${kind} ${n}?`, code, call, answer });
      },
    ]),
  ),
  problem: (n) =>
    row('tool', {
      question: `A stall sells ${20 + n} muffins at $3 each and pays $${11 + n} rent. How much profit does it make?`,
      reasoning: `<<${20 + n}*3=${60 + 3 * n}>> and <<${60 + 3 * n}-${11 + n}=${49 + 2 * n}>>`,
      answer: String(49 + 2 * n),
    }),
  ANNOTATION_MISMATCH: (n) =>
    row('ANNOTATION_MISMATCH', { question: `${n + 9} times 3?`, reasoning: '<<9*3=40>>', answer: '40' }),
  ANSWER_NOT_REACHED: (n) => row('ANSWER_NOT_REACHED', { question: `${n}?`, reasoning: 'So.', answer: '7' }),
  'no JSON': (n) => ({ text: `{"question": ${n},`, fate: 'BAD_ROW' }),
  'half a pair': (n) => row('BAD_ROW', { question: `\ud800${n}` }),
  'no call': (n) => row('FIELD_MISSING', { question: `Q${n}?`, answer: 1, code: 'def f(): pass' }),
};

/** Ingest, the create loop of every shard, and CollectTools; problems are executed, not solved, so that fates are known. */
async function through(source: string, timeoutMs = 3000) {
  const world = await embeddedRuntime();
  try {
    const { artifacts } = world.runtime;
    await artifacts.put('x.jsonl', source);
    const config = configFor({ source: 'x.jsonl', validation: 'execute', sandbox: { timeoutMs } });
    const ctx = contextOf(world.runtime);
    const { index, ...ingested } = await ingest(ctx, config);
    for (const { part, ref } of await allRows<ShardPointer>(artifacts, index)) {
      await driveShard({ ctx, config, part }, ref, () => undefined);
    }
    const rejects = await allRows<Reject>(artifacts, keys.rejects(config.jobId, 'ingest', 0));
    for (let part = 0; part < ingested.shards; part++) {
      rejects.push(...(await allRows<Reject>(artifacts, keys.rejects(config.jobId, 'create', part))));
    }
    const codes: Record<string, number> = {};
    for (const { code } of rejects) codes[code] = (codes[code] ?? 0) + 1;
    const { admitted, collapsed, open } = await collectTools(ctx, config);
    return {
      counts: { admitted, collapsed, duplicates: ingested.duplicates, open },
      codes,
      tools: await allRows<Tool>(artifacts, keys.tools(config.jobId)),
      cases: await allRows<Case>(artifacts, keys.cases(config.jobId)),
    };
  } finally {
    await world.close();
  }
}

beforeAll(() => closeSandboxes());
afterAll(async () => {
  await Promise.all([closeSandboxes(), closeAnalyser()]);
});

test('of any pile each row is counted once, by what is wrong with it, and the library made of the rest is lossless', async () => {
  const kinds = fc.constantFrom(...Object.keys(LINES));
  const piles = fc.record({
    // Every kind is in it, some more often, in any order; rows of one kind and number are the same row.
    more: fc.array(fc.tuple(kinds, fc.integer({ min: 0, max: 5 })), { minLength: 20, maxLength: 40 }),
    order: fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
    end: fc.constantFrom('\n', '\r\n'),
  });
  await fc.assert(
    fc.asyncProperty(piles, async ({ more, order, end }) => {
      const all = [...Object.keys(LINES).map((kind): [string, number] => [kind, 0]), ...more];
      const lines = all
        .map(([kind, n]) => ({ ...LINES[kind]!(n), at: order.next().value! }))
        .sort((a, b) => a.at - b.at);
      const made = await through(lines.map(({ text }) => text + end).join(''));

      const expected: Record<string, number> = {};
      const [seen, tools] = [new Set<string>(), new Set<string>()];
      let duplicates = 0;
      for (const { text, fate } of lines) {
        if (fate !== 'BAD_ROW' && fate !== 'FIELD_MISSING') {
          if (seen.has(text)) {
            duplicates++;
            continue;
          }
          seen.add(text);
        }
        if (fate === 'tool') tools.add(text);
        else expected[fate] = (expected[fate] ?? 0) + 1;
      }
      expect(made.codes).toEqual(expected);
      const { admitted, collapsed, ...rest } = made.counts;
      expect(rest).toEqual({ duplicates, open: 0 });
      expect(admitted + collapsed).toBe(tools.size);
      expect(new Set(made.tools.map(({ name }) => name)).size).toBe(admitted);

      const { report, library } = await refactorTools(made);
      expect(report.losslessness).toEqual({
        cases: made.cases.length,
        passing: made.cases.length,
        coverage: 1,
      });
      const served = new Set(library.flatMap(({ mapping }) => mapping.map(({ caseId }) => caseId)));
      expect(made.cases.filter(({ id }) => !served.has(id))).toEqual([]);
    }),
    {
      numRuns: 1,
      seed: 11,
      ...(process.env.AGENTMILL_PILES
        ? { numRuns: Number(process.env.AGENTMILL_PILES), seed: Date.now() }
        : {}),
    },
  );
});

test('[tool-library 21] the faulty tools of the imported pile once more, in other shards: their codes count alike', async () => {
  const { rows, expected } = importedPile();
  const rejected = Object.values(expected).reduce((sum, count) => sum + count);
  const some = rows.slice(0, rejected + 10).toReversed();
  const made = await through(some.map((each) => `${JSON.stringify(each)}\n`).join(''), 1500);
  expect(made.codes).toEqual(expected);
  expect(made.counts).toEqual({ admitted: 10, collapsed: 0, duplicates: 0, open: 0 });
});
