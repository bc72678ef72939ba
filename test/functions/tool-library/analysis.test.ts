import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { readCall } from '#functions/tool-library/analysis/calls.ts';
import { readDocstring } from '#functions/tool-library/analysis/docstring.ts';
import { functionsOf } from '#functions/tool-library/analysis/functions.ts';
import { policyFinding } from '#functions/tool-library/analysis/policy.ts';
import { deriveInterface } from '#functions/tool-library/analysis/schema.ts';
import { resolveClashes } from '#functions/tool-library/collect/clashes.ts';
import { renameClashes } from '#functions/tool-library/collect/rename.ts';
import { closeAnalyser, parseTools, unparse } from '#functions/tool-library/python/analyser.ts';
import type { ModuleNode } from '#functions/tool-library/python/ast.ts';

afterAll(closeAnalyser);

async function parse(code: string): Promise<ModuleNode> {
  const [parsed] = await parseTools([code]);
  if (!parsed!.ok) throw new Error(parsed!.error.message);
  return parsed!.ast;
}

const schemaOf = async (code: string, call?: string) => {
  const ast = await parse(code);
  const shape = call === undefined ? undefined : readCall(ast, await parse(call));
  const examples =
    typeof shape === 'object'
      ? new Map([...shape.arguments].map(([name, node]) => [name, [node]]))
      : new Map();
  return deriveInterface(functionsOf(ast)[0]!, examples);
};

test('[tool-library 2] a signature over lines, defaults with commas, Dict[str, int], an import first: the right schema', async () => {
  const { schema, description } = await schemaOf(`from typing import Dict, List, Literal, Optional, Tuple

def order_total(
    prices: Dict[str, int],
    names: List[str],
    discount: float = 0.5,
    greeting: str = "Dear, all",
    kind: Literal["net", "gross"] = "net",
    tags: Optional[List[str]] = None,
    pair: Tuple[int, int] = (1, 2),
    strict: bool = False,
    *,
    rate: "float | None" = None,
) -> float:
    """Total of an order.

    Over two lines.

    Args:
        prices (dict): price of each
            name in cents
        discount: part that is not paid
    Returns:
        The total.
    """
    return 0.0
`);
  expect(description).toBe('Total of an order.');
  expect(schema).toEqual({
    type: 'object',
    properties: {
      prices: {
        type: 'object',
        additionalProperties: { type: 'integer' },
        description: 'price of each name in cents',
      },
      names: { type: 'array', items: { type: 'string' } },
      discount: { type: 'number', default: 0.5, description: 'part that is not paid' },
      greeting: { type: 'string', default: 'Dear, all' },
      kind: { type: 'string', enum: ['net', 'gross'], default: 'net' },
      tags: { type: 'array', items: { type: 'string' } },
      pair: { type: 'array', items: { type: 'integer' }, default: [1, 2] },
      strict: { type: 'boolean', default: false },
      rate: { type: 'string' },
    },
    required: ['prices', 'names'],
    additionalProperties: false,
  });
});

test('types without annotation come from the cases, else text; no parameters are empty properties', async () => {
  const { schema } = await schemaOf('def f(a, b, c, d=3): return a', 'f(2, ["x"], True)');
  expect(schema.properties).toEqual({
    a: { type: 'number' },
    b: { type: 'array', items: { type: 'string' } },
    c: { type: 'boolean' },
    d: { type: 'number', default: 3 },
  });
  expect((await schemaOf('def g(): return 1')).schema).toMatchObject({ properties: {}, required: [] });
  expect((await schemaOf('def h(x): return x')).schema.properties).toEqual({ x: { type: 'string' } });
});

test('docstrings in NumPy and reST style', () => {
  const numpy = readDocstring(
    'Area.\n\nParameters\n----------\nbase, side : float\n    length in metres\nheight : float\n\nReturns\n-------\nfloat\n',
  );
  expect([...numpy.parameters]).toEqual([
    ['base', 'length in metres'],
    ['side', 'length in metres'],
    ['height', ''],
  ]);
  const rest = readDocstring(
    'Area.\n\n:param float base: length\n    in metres\n:param height: upwards\n:returns: area',
  );
  expect([...rest.parameters]).toEqual([
    ['base', 'length in metres'],
    ['height', 'upwards'],
  ]);
  fc.assert(fc.property(fc.string({ maxLength: 100 }), (text) => void readDocstring(text)));
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('Args:', ':param a: b', 'x : int', '----', '    y: z', '', '\t', 'Returns:')),
      (lines) => {
        expect(readDocstring(lines.join('\n')).summary).not.toContain('\n');
      },
    ),
  );
});

test('calls: what is one, and why others are not', async () => {
  const code = await parse('def f(a, b=2): return a\ndef g(x): return x');
  const read = async (call: string) => readCall(code, await parse(call));
  for (const call of [
    'f(1)',
    'x = f(1, b=-2)',
    'print(f([1, 2]))',
    'values = [1]\nf(values)',
    'round(f(1.5), 2)',
  ]) {
    expect(await read(call), call).toMatchObject({ entry: 'f' });
  }
  for (const call of [
    '',
    'f(1) + f(2)',
    'f(g(1))',
    'f(y)',
    'h(1)',
    'x, y = f(1)',
    'f(**{})',
    'g(1)\nf(2)',
    'f(1 + 1)',
  ]) {
    expect(typeof (await read(call)), call).toBe('string');
  }
  expect(
    ((await read('n = 3\nf(n)')) as { arguments: Map<string, unknown> }).arguments.get('a'),
  ).toMatchObject({ value: 3 });
});

test('the policy: part of the standard library, packages that the job allows, nothing that reaches outside', async () => {
  const finding = async (code: string, packages: string[] = []) =>
    policyFinding(await parse(code), packages)?.code;
  expect(
    await finding('import math\nfrom fractions import Fraction\nimport collections.abc'),
  ).toBeUndefined();
  expect(await finding('import sympy')).toBe('PACKAGE_UNAVAILABLE');
  expect(await finding('import sympy as sp', ['sympy'])).toBeUndefined();
  for (const code of [
    'import os',
    'from subprocess import run',
    'def f():\n    import js',
    'from . import x',
    'open("x")',
    'eval("1")',
    '().__class__.__bases__',
    '__import__("os")',
  ]) {
    expect(await finding(code), code).toBe('POLICY_IMPORT');
  }
});

test('equal names are told apart by a word of their parameters, then by number; code, calls and aliases follow', async () => {
  const named = (id: string, parameters: string[], name = 'profit') => ({ id, name, parameters });
  const renamed = resolveClashes([
    named('a', ['price']),
    named('b', ['price', 'rose_count']),
    named('c', ['price']),
    named('d', ['price']),
    named('e', [], 'profit_rose'),
  ]);
  expect([...renamed]).toEqual([
    ['b', 'profit_count'],
    ['c', 'profit_price'],
    ['d', 'profit_2'],
  ]);

  const tool = (id: string, parameter: string) => ({
    id,
    name: 'double',
    entry: 'double',
    aliases: [],
    code: `def double(${parameter}):\n    return double(${parameter} - 1) if ${parameter} else 0`,
    schema: { properties: { [parameter]: {} } },
  });
  const collected = {
    tools: [tool('t_1', 'cats'), tool('t_2', 'dogs')],
    cases: [{ toolId: 't_2', call: 'double(dogs=2)' }],
  };
  const { tools, cases } = await renameClashes(collected as never);
  expect(tools.map(({ name, aliases }) => [name, aliases])).toEqual([
    ['double', []],
    ['double_dogs', ['double']],
  ]);
  expect(tools[1]!.code).toContain('return double_dogs(dogs - 1)');
  expect(cases).toEqual([{ toolId: 't_2', call: 'double_dogs(dogs=2)' }]);
});

test('trees go to Python and back: text in, the same text out; errors carry lines; any text is an answer', async () => {
  const codes = [
    'x = 1.0 + 1 - 10 ** 30',
    'def f(a, *, b=(1, 2)):\n    """d"""\n    return [i for i in a if i]',
    "f'{a!r:>{w}}' + b'\\x00'.hex() + 1j",
    'x = ...',
    'async def g():\n    await h()',
  ];
  const parsed = await parseTools(codes);
  const trees = parsed.map((each) => (each.ok ? each.ast : undefined)!);
  expect(await unparse(trees)).toEqual(parsed.map((each) => each.ok && each.code));
  const [bad, deep, large] = await parseTools([
    'a = (\nb',
    `${'('.repeat(3000)}1${')'.repeat(3000)}`,
    `x = "${'a'.repeat(70_000)}"`,
  ]);
  expect(bad).toEqual({ ok: false, error: { message: "'(' was never closed", line: 1 } });
  expect([deep!.ok, large!.ok]).toEqual([false, false]);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ maxLength: 60 }), { maxLength: 20 }), async (texts) => {
      expect(await parseTools(texts)).toHaveLength(texts.length);
    }),
    { numRuns: 20 },
  );
});
