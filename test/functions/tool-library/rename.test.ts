import { afterAll, expect, test } from 'vitest';
import { renameFunction, usesOf, wordsIn } from '#functions/tool-library/analysis/rename.ts';
import { renameClashes } from '#functions/tool-library/collect/rename.ts';
import { closeAnalyser, parseTools, unparse } from '#functions/tool-library/python/analyser.ts';
import type { ModuleNode } from '#functions/tool-library/python/ast.ts';
import { refactorTools, toolsOf } from './refactor-loop.ts';
import { runShard } from './shard-loop.ts';

afterAll(() => closeAnalyser());

async function treeOf(code: string): Promise<ModuleNode> {
  const [parsed] = await parseTools([code]);
  if (!parsed?.ok) throw new Error(code);
  return parsed.ast;
}

test.for([
  ['recursion', 'def f(n):\n    return f(n - 1) if n else 0', 'def g(n):\n    return g(n - 1) if n else 0'],
  ['a parameter of its name', 'def f(f, n):\n    return f * n', 'def g(f, n):\n    return f * n'],
  ['a local of its name', 'def f(a):\n    f = a + 1\n    return f', 'def g(a):\n    f = a + 1\n    return f'],
  [
    'a helper that calls it, with a default that names it',
    'def f(a):\n    return a\n\ndef h(x, by=f):\n    return by(f(x))',
    'def g(a):\n    return a\n\ndef h(x, by=g):\n    return by(g(x))',
  ],
  [
    'a method of its name, and a method that calls it',
    'class C:\n\n    def f(self):\n        return f(self.f)\n\ndef f(a):\n    return C().f(a)',
    'class C:\n\n    def f(self):\n        return g(self.f)\n\ndef g(a):\n    return C().f(a)',
  ],
  [
    'lambdas and comprehensions',
    'def f(a):\n    return [f for f in a] + [f(x) for x in (lambda f: f)(a)] + list(map(lambda x: f(x), a))',
    'def g(a):\n    return [f for f in a] + [g(x) for x in (lambda f: f)(a)] + list(map(lambda x: g(x), a))',
  ],
  [
    'global, nonlocal and functions inside',
    'def f(a):\n\n    def inner():\n        global f\n        return f\n\n    def f():\n        return 1\n\n    def other():\n        nonlocal f\n        return f\n    return inner',
    'def g(a):\n\n    def inner():\n        global g\n        return g\n\n    def f():\n        return 1\n\n    def other():\n        nonlocal f\n        return f\n    return inner',
  ],
  [
    'handlers, imports, patterns, loops',
    'def f(a):\n    return f\n\ndef h(a):\n    try:\n        a()\n    except ValueError as f:\n        return f\n\ndef i(a):\n    import math as f\n    return f\n\ndef j(a):\n    match a:\n        case [f, *_]:\n            return f\n\ndef k(a):\n    for f, b in a:\n        return f',
    'def g(a):\n    return g\n\ndef h(a):\n    try:\n        a()\n    except ValueError as f:\n        return f\n\ndef i(a):\n    import math as f\n    return f\n\ndef j(a):\n    match a:\n        case [f, *_]:\n            return f\n\ndef k(a):\n    for f, b in a:\n        return f',
  ],
] as const)('a function is renamed where it is meant: %s', async ([_title, before, after]) => {
  expect(await unparse([renameFunction(await treeOf(before), 'f', 'g')])).toEqual([after]);
});

test('names that a text uses: what a new one must not be', async () => {
  const tree = await treeOf('import math as m\ndef f(a, *b, **c):\n    d = "text"\n    return m.e + a');
  expect([...wordsIn(tree)].sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'm', 'math']);
  expect(usesOf(tree, 'f').size).toBe(1);
});

/** Four tools called `price`, each with another reason why a plain replacement of the word would break it. */
const PRICES = [
  ['def price(price, count):\n    return price * count\n', 'price(3, 4)', 12],
  ['def price(price, weight):\n    return price * weight + 3\n', 'price(3, 4)', 15],
  [
    'def price_tax(x):\n    return x + 1\n\ndef price(net, tax):\n    return price_tax(net * tax) + 6\n',
    'price(3, 4)',
    19,
  ],
  [
    'def price(goods, fee):\n    return goods - fee + 9\n',
    'price_fee = 4\nprice_goods = 3\nprice(price_goods, price_fee)',
    8,
  ],
] as const;

test('tools of one name go through the library whatever their parameters, helpers and set-up are called', async () => {
  const made = await toolsOf(PRICES.map(([code, call, answer]) => ({ code, call, answer })));
  const { tools, cases } = await renameClashes(made);
  expect(new Set(tools.map(({ name }) => name)).size).toBe(PRICES.length);
  expect(tools.filter(({ aliases }) => aliases.includes('price'))).toHaveLength(PRICES.length - 1);
  for (const { name } of tools) expect(['price_tax_2', 'price_fee_2']).not.toContain(name);
  const { report } = await refactorTools({ tools, cases });
  expect(report.losslessness).toEqual({ cases: PRICES.length, passing: PRICES.length, coverage: 1 });
});

test('names that tools cannot have are changed to one that the code does not use; a function may be called print', async () => {
  const rows = [
    [
      'def calc_sum(x):\n    return x + 1\n\ndef calcSum(x, y):\n    return calc_sum(x) + y\n',
      'calcSum(3, 5)',
      9,
    ],
    ['def größe(länge, höhe):\n    return länge + höhe\n', 'größe(3, 4)', 7],
    ['def 面积(a):\n    return a * 2\n', '面积(4)', 8],
    ['def print(a):\n    return a + 4\n', 'print(5)', 9],
  ] as const;
  const { tools, rejects } = await runShard(
    rows.map(([code, call, answer], n) => ({ question: `Question ${n}?`, code, call, answer })),
  );
  expect(rejects).toEqual([]);
  expect(tools.map(({ name, aliases }) => [name, aliases])).toEqual([
    ['calc_sum_2', ['calcSum']],
    ['grosse', ['größe']],
    ['tool', ['面积']],
    ['print', []],
  ]);
});
