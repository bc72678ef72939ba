import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openSandbox, type Sandbox } from '#shared/sandbox/index.ts';
import { collect, embedded, request } from './support.ts';

vi.setConfig({ testTimeout: 120_000 });

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await openSandbox(embedded(), { workers: 1 });
  // The first use may have to make the snapshot.
  await sandbox.run(request());
}, 120_000);
afterAll(() => sandbox.close());

const VALUES: [string, unknown][] = [
  ['[None, True, -3, 0.5, "é"]', [null, true, -3, 0.5, 'é']],
  ['{"a": {"b": []}}', { a: { b: [] } }],
  ['(1, (2,))', { $: 'tuple', v: [1, { $: 'tuple', v: [2] }] }],
  ['{3, 1, 2}', { $: 'set', v: [1, 2, 3] }],
  ['frozenset("ba")', { $: 'frozenset', v: ['a', 'b'] }],
  ['b"ab"', { $: 'bytes', v: 'YWI=' }],
  ['Fraction(-1, 3)', { $: 'Fraction', v: ['-1', '3'] }],
  ['2 + 1j', { $: 'complex', v: ['2.0', '1.0'] }],
  ['Decimal("0.10")', { $: 'Decimal', v: '0.10' }],
  ['2 ** 70', { $: 'int', v: '1180591620717411303424' }],
  ['2 ** 53', 2 ** 53],
  ['float("nan")', { $: 'float', v: 'nan' }],
  [
    '[float("inf"), float("-inf")]',
    [
      { $: 'float', v: 'inf' },
      { $: 'float', v: '-inf' },
    ],
  ],
  [
    '{1: "a", (2,): None}',
    {
      $: 'dict',
      v: [
        [1, 'a'],
        [{ $: 'tuple', v: [2] }, null],
      ],
    },
  ],
  ['{"$": 1}', { $: 'dict', v: [['$', 1]] }],
  ['Point(1, 2)', { $: 'tuple', v: [1, 2] }],
  ['Colour.RED', 'red'],
  ['Counter("aab")', { a: 2, b: 1 }],
  ['True', true],
];
const PRELUDE = `from fractions import Fraction
from decimal import Decimal
from collections import Counter, namedtuple
from enum import Enum
Point = namedtuple("Point", "x y")
class Colour(Enum):
    RED = "red"
`;

test('every kind of value comes back as the contract tags it', async () => {
  const results = await collect(
    sandbox.runBatch(
      VALUES.map(([call], index) => request({ id: String(index), code: PRELUDE, call })),
      { unitId: 'values' },
    ),
  );
  expect(results.map((result) => (result.ok ? result.value : result.error))).toEqual(
    VALUES.map(([, value]) => value),
  );
});

test.each([
  ['object()', 'NotSerializable', /object/],
  ['(x for x in [])', 'NotSerializable', /generator/],
  ['"\\ud800"', 'NotSerializable', /surrogates/],
  ['loop()', 'NotSerializable', /nested/],
  ['"x" * 70_000', 'OutputTooLarge', /64 KiB/],
  ['list(range(100_000))', 'OutputTooLarge', /64 KiB/],
  ['2 ** 1_000_000', 'OutputTooLarge', /64 KiB/],
  ['1 / 0', 'ZeroDivisionError', /division/],
  ['__import__("numpy")', 'PackageUnavailable', /numpy/],
])('%s is %s', async (call, type, message) => {
  const result = await sandbox.run(
    request({ code: 'def loop():\n    x = []\n    x.append(x)\n    return x\n', call }),
    { unitId: 'values' },
  );
  expect(result).toMatchObject({ ok: false, error: { type, message: expect.stringMatching(message) } });
});

test('a class that borrows the name of an error of the sandbox is an exception all the same', async () => {
  const result = await sandbox.run(
    request({ code: 'class Timeout(Exception):\n    pass\nraise Timeout("mine")' }),
    { unitId: 'values' },
  );
  expect(result).toMatchObject({
    ok: false,
    error: { type: 'Exception', message: 'Timeout: mine', line: 3 },
  });
});

test('the first 16 KiB of output are kept, whole characters', async () => {
  const result = await sandbox.run(request({ code: 'print("é" * 20_000)\n1' }), { unitId: 'values' });
  expect(result.stdout).toBe('é'.repeat(8_192));
});

test('the seed decides what random gives; decimal contexts and files do not outlive a run', async () => {
  const code =
    'import random, decimal, os\ndef f():\n    decimal.getcontext().prec += 1\n    open("/tmp/x", "a").write("x")\n    return [random.random(), decimal.getcontext().prec, os.path.getsize("/tmp/x")]\n';
  const [first, again, other] = await collect(
    sandbox.runBatch(
      [1, 1, 2].map((seed) => request({ code, call: 'f()', seed })),
      { unitId: 'values' },
    ),
  );
  expect(first).toMatchObject({ ok: true, value: [0.13436424411240122, 29, 1] });
  expect({ ...again, ms: 0 }).toEqual({ ...first, ms: 0 });
  expect(other).not.toMatchObject({ value: (first as { value: unknown }).value });
});

test('[deep-research 15] variables do not survive a call', async () => {
  expect(await sandbox.run(request({ code: 'kept = 1\nkept' }))).toMatchObject({ ok: true, value: 1 });
  expect(await sandbox.run(request({ code: 'kept' }))).toMatchObject({
    ok: false,
    error: { type: 'NameError' },
  });
});

test.each([
  ['language', { language: 'ruby' as 'python' }],
  ['code', { code: '#'.repeat(70_000) }],
  ['timeoutMs', { timeoutMs: 0 }],
  ['memoryMb', { memoryMb: 4_096 }],
  ['seed', { seed: 0.5 }],
  ['packages', { packages: ['numpy' as 'sympy'] }],
])('a request whose %s is out of bounds is answered so', async (field, fields) => {
  expect(await sandbox.run(request(fields))).toMatchObject({
    ok: false,
    error: { type: 'InvalidInput', message: expect.stringMatching(new RegExp(`^${field}: `)) },
  });
});
