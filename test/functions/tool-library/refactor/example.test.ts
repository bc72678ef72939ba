import { afterAll, describe, expect, it } from 'vitest';
import { closeAnalyser, parseTools, unparse } from '#functions/tool-library/python/analyser.ts';
import { readCall } from '#functions/tool-library/analysis/calls.ts';
import { withoutWords } from '#functions/tool-library/refactor/normalise.ts';
import type { SourceTool } from '#functions/tool-library/refactor/forms.ts';
import { mappedCall, refactor, type Refactoring } from '#functions/tool-library/refactor/refactor.ts';

afterAll(closeAnalyser);

export async function sources(tools: [code: string, call: string][]): Promise<SourceTool[]> {
  const codes = await parseTools(tools.map(([code]) => code));
  const calls = await parseTools(tools.map(([, call]) => call));
  return tools.map((_, index) => {
    const [code, call] = [codes[index]!, calls[index]!];
    if (!code.ok || !call.ok) throw new Error('does not parse');
    const shape = readCall(code.ast, call.ast);
    if (typeof shape === 'string') throw new Error(shape);
    const { entry } = shape;
    const id = `t_${index}`;
    return { id, name: entry, entry, description: '', ast: code.ast, cases: [{ id: `c_${index}`, shape }] };
  });
}

/** Functions without their docstrings, and every source's call on them. */
async function written(tools: SourceTool[], { functions, module }: Refactoring) {
  const code = await unparse(functions.map((each) => withoutWords(each.code)));
  const calls = functions.flatMap(({ toolIds, adapters }) =>
    toolIds.map((id) => {
      const tool = tools.find((each) => each.id === id)!;
      return mappedCall(tool, tool.cases[0]!.shape.expression, adapters.get(id)!)!;
    }),
  );
  return { code, calls: await unparse(calls), module: module && (await unparse([module]))[0] };
}

const options = { widen: true, helpers: true };
const MUFFIN = `def muffin_profit(muffins, price):
    revenue = muffins * price
    return revenue - muffins * 0.5 - 15`;
const CAR = `def car_wash_profit(fee, cars, soap_cost):
    return cars * fee - cars * soap_cost - 10`;
const ROSE = `def rose_profit(roses, price, wrap_cost):
    earned = price * roses
    spent = roses * wrap_cost
    return earned - spent - 15`;

describe('refactoring by anti-unification', () => {
  it('[tool-library 10] makes exactly the function of section 6 and three mapped calls', async () => {
    const tools = await sources([
      [MUFFIN, 'muffin_profit(24, 3)'],
      [CAR, 'car_wash_profit(12, 8, 1)'],
      [ROSE, 'rose_profit(30, 2, 0.25)'],
    ]);
    const result = refactor(tools, options);
    const { code, calls, module } = await written(tools, result);
    expect(code).toEqual([
      'def profit_from_quantity_and_price(quantity, price, cost=0.5, amount=15):\n    return quantity * price - quantity * cost - amount',
    ]);
    expect(calls).toEqual([
      'profit_from_quantity_and_price(quantity=24, price=3, cost=0.5, amount=15)',
      'profit_from_quantity_and_price(quantity=8, price=12, cost=1, amount=10)',
      'profit_from_quantity_and_price(quantity=30, price=2, cost=0.25, amount=15)',
    ]);
    expect(module).toBeUndefined();
    const [text] = await unparse([result.functions[0]!.code]);
    expect(text).toContain('Profit from quantity and price, for muffin, car wash and rose.');
  });

  it('merges loops, conditions and calls whose names differ, and keeps indices and digits as they are', async () => {
    const tools = await sources([
      [
        'import math\ndef mean_score(scores):\n    total = 0\n    for s in scores:\n        total += s\n    return round(total / len(scores), 2) + math.sqrt(4)',
        'mean_score([1, 2])',
      ],
      [
        'from math import sqrt as root\ndef mean_height(heights: list) -> float:\n    """Mean."""\n    t = 0\n    for each in heights:\n        t += each\n    return round(t / len(heights), 2) + root(9)',
        'mean_height(heights=[3, 4])',
      ],
      [
        'import math\ndef mean_age(ages):\n    t = 0\n    for a in ages:\n        t += a\n    return round(t / len(ages), 3) + math.sqrt(4)',
        'mean_age([5])',
      ],
    ]);
    const { code, calls } = await written(tools, refactor(tools, options));
    expect(code).toEqual([
      'import math\n\ndef mean_from_value(value, value_2=4):\n    t = 0\n    for each in value:\n        t += each\n    return round(t / len(value), 2) + math.sqrt(value_2)',
    ]);
    expect(calls).toEqual([
      'mean_from_value(value=[1, 2], value_2=4)',
      'mean_from_value(value=[3, 4], value_2=9)',
    ]);
  });

  it('gives a parameter that a block assigns a copy, and binds defaults of the original', async () => {
    const tools = await sources([
      [
        'def halve_coins(coins, times=3):\n    while times > 0:\n        coins = coins / 2\n        times -= 1\n    return coins',
        'halve_coins(80)',
      ],
      [
        'def halve_plates(plates):\n    n = 2\n    while n > 0:\n        plates = plates / 2\n        n -= 1\n    return plates',
        'halve_plates(12)',
      ],
    ]);
    const { code, calls } = await written(tools, refactor(tools, options));
    expect(code).toEqual([
      'def halve_from_value(value, value_2=2):\n    coins_now = value\n    n = value_2\n    while n > 0:\n        coins_now = coins_now / 2\n        n -= 1\n    return coins_now',
    ]);
    expect(calls).toEqual(['halve_from_value(value=80, value_2=3)', 'halve_from_value(value=12, value_2=2)']);
  });

  it('widens by one outer leaf with a neutral default', async () => {
    const tools = await sources([
      ['def paint_cost(walls, area, price):\n    return walls * area * price', 'paint_cost(4, 10, 2)'],
      [
        'def tile_cost(rooms, area, price, rent):\n    return rooms * area * price + rent',
        'tile_cost(3, 9, 5, 20)',
      ],
    ]);
    const { code, calls } = await written(tools, refactor(tools, options));
    expect(code).toEqual([
      'def cost_from_quantity_and_area_and_price(quantity, area, price, amount=0):\n    return quantity * area * price + amount',
    ]);
    expect(calls).toEqual([
      'cost_from_quantity_and_area_and_price(quantity=4, area=10, price=2, amount=0)',
      'cost_from_quantity_and_area_and_price(quantity=3, area=9, price=5, amount=20)',
    ]);
    expect(refactor(tools, { ...options, widen: false }).functions).toEqual([]);
  });

  it('shares sub-expressions that save nodes, as private functions of the module', async () => {
    const long = (a: string, end: string): string =>
      `    return (${a} * ${a} * rate + ${a} * width) / (${a} + ${a} * rate - width) ${end}`;
    const tools = await sources([
      [`def slab_cost(side, rate, width):\n${long('side', '- 5')}`, 'slab_cost(2, 3, 4)'],
      [`def roof_cost(edge, rate, width):\n${long('edge', '- 7')}`, 'roof_cost(2, 3, 4)'],
      [`def slab_area(side, rate, width):\n${long('side', '/ 2 - 5')}`, 'slab_area(2, 3, 4)'],
      [`def roof_area(edge, rate, width):\n${long('edge', '/ 4 - 9')}`, 'roof_area(2, 3, 4)'],
    ]);
    const result = refactor(tools, options);
    const { module } = await written(tools, result);
    expect(result.functions).toHaveLength(2);
    expect(module).toMatch(/^def _share_of_\w+\(/);
    expect(refactor(tools, { ...options, helpers: false }).module).toBeUndefined();
  });

  it('keeps one-operator formulas apart unless their names share a noun', async () => {
    const tools = await sources([
      ['def apple_cost(apples, price):\n    return apples * price', 'apple_cost(2, 3)'],
      ['def train_distance(speed, hours):\n    return speed * hours', 'train_distance(2, 3)'],
      ['def pear_cost(pears, price):\n    return pears * price', 'pear_cost(2, 3)'],
    ]);
    const { functions, alone } = refactor(tools, options);
    expect(functions.map(({ toolIds }) => toolIds)).toEqual([['t_0', 't_2']]);
    expect([...alone.keys()]).toEqual(['t_1']);
  });

  it('leaves tools alone that it must not touch, and says why', async () => {
    const tools = await sources([
      ['def total(*numbers):\n    return sum(numbers) + 1', 'total(1, 2)'],
      ['def gen(n):\n    yield n + 1', 'gen(3)'],
      ['COUNT = 0\ndef count(n):\n    global COUNT\n    COUNT += n\n    return COUNT', 'count(3)'],
      ['import functools\n@functools.cache\ndef fib(n):\n    return n * 2 + 1', 'fib(3)'],
      ['def fact(n):\n    return 1 if n < 2 else n * fact(n - 1)', 'fact(4)'],
    ]);
    expect([...refactor(tools, options).alone.values()]).toEqual([
      'The tool takes *numbers; give each parameter a name.',
      'The tool is a generator.',
      'The tool changes globals.',
      'The tool has a decorator.',
      'The tool calls itself.',
    ]);
  });
});
