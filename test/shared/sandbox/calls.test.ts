import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { plainCall } from '#shared/sandbox/calls.ts';
import { openSandbox, type Sandbox } from '#shared/sandbox/index.ts';
import { collect, embedded, request } from './support.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await openSandbox(embedded(), { workers: 1 });
  await sandbox.run(request());
}, 120_000);
afterAll(() => sandbox.close());

test('plain calls are told from others', () => {
  expect(plainCall('f(1, -2.5, [True, [None]], 1e3)')).toEqual({
    name: 'f',
    args: '[1, -2.5, [true, [null]], 1e3]',
  });
  for (const call of [
    'f("a")',
    'f(x)',
    'f(01)',
    'f(1.)',
    'f(1j)',
    'f(0x1)',
    'f(1_0)',
    'f(Truex)',
    'f(true)',
    'f()()',
    ' f(1)',
    'f(1)\n',
    'a.f(1)',
    'f(1e5000)',
    'é(1)',
    `f(${'1'.repeat(101)})`,
  ]) {
    expect(plainCall(call), call).toBeUndefined();
  }
});

/** Calls, right and wrong, that are nearly all plain or look like it. */
const PIECES = fc.constantFrom(
  ...[
    '1',
    '-1',
    '0',
    '-0',
    '1.5',
    '-0.0',
    '1e3',
    '1E-2',
    '1e999',
    '01',
    '1.',
    '9'.repeat(40),
    'True',
    'False',
    'None',
    'true',
  ],
  ...['[', ']', '[1, 2]', '[[]]', ',', ', ', ' ', '-', '"a"', '{}', 'x', '(1)', '#', '\\', 'é'],
);
const CALLS = fc
  .tuple(
    fc.constantFrom(
      'f',
      'f',
      'f',
      'g',
      'len',
      'abs',
      'sum',
      'max',
      'x',
      'missing',
      'not',
      'lambda',
      'print',
      'C',
      '__name__',
      'eval',
    ),
    fc.array(PIECES, { maxLength: 7 }),
  )
  .map(([name, pieces]) => `${name}(${pieces.join('')})`);
const CODE = `
x = 3
def f(*values):
    return [(type(value).__name__, repr(value)) for value in values]
def g(a, b=2):
    return a / b
class C:
    def __init__(self, a):
        raise KeyError(a)
`;

test('a plain call gives what the compiled one gives, whatever it is', async () => {
  const calls = fc.sample(CALLS, { seed: 11, numRuns: 400 });
  calls.push(
    'f()',
    'f(1,)',
    'f(1 2)',
    'f(,)',
    'f(],1)',
    'f([],[1)',
    'f(1)',
    'f([1, 2], -3.25e-2, None)',
    'g(1, 0)',
    'g(1, 2, 3)',
    'x(1)',
  );
  expect(calls.filter((call) => plainCall(call)).length).toBeGreaterThan(100);
  const both = await collect(
    sandbox.runBatch(
      calls.flatMap((call, index) =>
        // A blank before it, and it is not plain.
        [call, ` ${call}`].map((text, way) => request({ id: `${index} ${way}`, code: CODE, call: text })),
      ),
      { unitId: 'calls' },
    ),
  );
  const shown = both.map((result) => (result.ok ? { value: result.value } : { error: result.error }));
  calls.forEach((call, index) => expect(shown[2 * index], call).toEqual(shown[2 * index + 1]));
  expect(shown.filter((result) => 'value' in result).length).toBeGreaterThan(100);
  expect(shown.filter((result) => 'error' in result).length).toBeGreaterThan(100);
}, 120_000);
