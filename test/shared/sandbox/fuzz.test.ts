import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { isSandboxValue, readAnswer } from '#shared/sandbox/answers.ts';
import { openSandbox, type Sandbox } from '#shared/sandbox/index.ts';
import { batches } from '#shared/sandbox/remote.ts';
import { collect, embedded, request } from './support.ts';

vi.setConfig({ testTimeout: 180_000 });

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await openSandbox(embedded(), { workers: 1 });
  await sandbox.run(request());
}, 120_000);
afterAll(() => sandbox.close());

test('whatever a child answers, the parent reads it or refuses it', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (message) => {
      const checked = readAnswer('x', message);
      if (checked?.result.ok) expect(isSandboxValue(checked.result.value)).toBe(true);
    }),
    { numRuns: 500 },
  );
  const field = fc.oneof(fc.jsonValue(), fc.constantFrom('tuple', 'set', 'dict', 'int', 'nan', '$'));
  fc.assert(
    fc.property(field, field, field, (kind, body, error) => {
      for (const answer of [
        { ok: true, value: { $: kind, v: body }, stdout: '' },
        { ok: false, error, stdout: '' },
      ]) {
        const checked = readAnswer('x', { ms: 1, answer });
        if (checked) expect(checked.result.id).toBe('x');
      }
    }),
    { numRuns: 500 },
  );
});

/** Pieces that make programs of every sort, whole and broken. */
const PIECES = fc.constantFrom(
  'x = 1\n',
  'def f(a):\n    return a\n',
  'f(3)\n',
  'raise ValueError("é\\ud800")\n',
  'print("\\x00\\n{}", end="")\n',
  'import math, json, sys\n',
  'class E(BaseException):\n    def __str__(self):\n        raise self\nraise E()\n',
  'raise SystemExit(3)\n',
  'raise type("é\\n", (Exception,), {})("x")\n',
  '[[[[]]]] * 3\n',
  '{"a": (1, {2, 3}), b"k": 1j}\n',
  'x = yield\n',
  'await x\n',
  'return 5\n',
  '"\\0"\n',
  '\u0000',
  '\u2028',
  '{"answer": 1}\n',
  'lambda: 0\n',
  'type("int", (int,), {"__repr__": lambda s: "evil"})(5)\n',
  'type("str", (str,), {"encode": None})("s")\n',
  'type("list", (list,), {"__iter__": None})([1])\n',
  'type("M", (type,), {"__instancecheck__": lambda *a: 1/0})("C", (), {})()\n',
  'del __builtins__\n',
  'globals().clear()\n',
  'import sys\nsys.stdout = None\n',
  'import sys\nsys.stderr.write("x")\n',
  '1/0\n',
  '    indented\n',
  '# coding: nonsense\n',
);

test('hostile code gives a result each, in order, and never harms the parent', async () => {
  const programs = fc.sample(
    fc.oneof(
      fc.array(PIECES, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join('')),
      fc.string({ unit: 'binary', maxLength: 60 }),
    ),
    { seed: 7, numRuns: 300 },
  );
  const results = await collect(
    sandbox.runBatch(
      programs.map((code, index) =>
        request({ id: String(index), code, ...(index % 3 === 0 ? { call: programs[index % 50]! } : {}) }),
      ),
      { unitId: 'fuzz' },
    ),
  );
  expect(results.map(({ id }) => id)).toEqual(programs.map((_, index) => String(index)));
  for (const result of results) {
    if (result.ok) expect(isSandboxValue(result.value)).toBe(true);
    else expect(result.error.type).toMatch(/./);
  }
  expect(new Set(results.map((result) => (result.ok ? 'ok' : result.error.type))).size).toBeGreaterThan(6);
  expect(await sandbox.run(request({ code: '1' }), { unitId: 'fuzz' })).toMatchObject({ ok: true, value: 1 });
});

test('batches for the function keep every request, in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          size: fc.integer({ min: 0, max: 60_000 }),
          timeoutMs: fc.integer({ min: 1, max: 300_000 }),
        }),
      ),
      async (rows) => {
        const requests = rows.map(({ size, timeoutMs }, index) =>
          request({ id: String(index), code: '#'.repeat(size), timeoutMs }),
        );
        expect((await collect(batches(requests))).flat()).toEqual(requests);
      },
    ),
    { numRuns: 50 },
  );
});
