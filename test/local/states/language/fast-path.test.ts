import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '#shared/storage/ports.ts';
import { parseExpression } from '#local/states/language/expression.ts';
import { BAIL } from '#local/states/language/fast-path.ts';
import { toJson } from '#local/states/language/json-result.ts';
import { evaluate } from '#local/states/language/index.ts';
import { outputOf, scope } from './definitions.ts';

const names = ['a', 'b', 'c', 'constructor'];
const scalar = fc.constantFrom<Json>(null, true, false, 0, 1, -2, 2.5, '', 'a', 'b');
const json: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { maxKeys: 3 }),
  ),
})).value;

const path = fc
  .tuple(
    fc.constantFrom('$states.input', '$states.context', '$x', '$y', '$unset'),
    fc.array(fc.constantFrom(...names), { maxLength: 3 }),
  )
  .map(([start, rest]) => [start, ...rest].join('.'));
const literal = fc.constantFrom('1', '-2', '0', '2.5', "'a'", "''", 'true', 'false', 'null');
const operator = fc.constantFrom('+', '-', '*', '/', '%', '<', '<=', '>', '>=', '=', '!=', '&', 'and', 'or');
const expression: fc.Arbitrary<string> = fc.letrec<{ any: string }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    path,
    literal,
    fc.tuple(tie('any'), operator, tie('any')).map(([l, op, r]) => `(${l} ${op} ${r})`),
    fc.tuple(tie('any'), tie('any'), tie('any')).map(([c, t, e]) => `(${c} ? ${t} : ${e})`),
    fc.tuple(tie('any'), tie('any')).map(([c, t]) => `(${c} ? ${t})`),
    fc.array(tie('any'), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
    fc
      .uniqueArray(fc.tuple(fc.constantFrom('a', 'b', '1', '0'), tie('any')), {
        maxLength: 3,
        selector: ([key]) => key,
      })
      .map((members) => `{${members.map(([key, value]) => `'${key}': ${value}`).join(', ')}}`),
  ),
})).any;

describe('the fast path', () => {
  it('gives exactly what JSONata gives, or leaves it to JSONata', async () => {
    let fast = 0;
    await fc.assert(
      fc.asyncProperty(expression, json, json, json, async (text, input, x, y) => {
        const parsed = parseExpression(`{% ${text} %}`);
        if (!parsed.ok) return;
        const visit = scope(input, { context: y as never, vars: { x, y } });
        const quick = parsed.expression.fast ? parsed.expression.fast(visit) : BAIL;
        if (quick === BAIL) return;
        fast++;
        const full = await parsed.expression.run(visit);
        if (full === undefined) expect(quick).toBe(undefined);
        else expect(JSON.stringify(quick)).toBe(JSON.stringify(toJson(full)));
      }),
      { numRuns: 1_500, seed: 20_301 },
    );
    // Otherwise the property says nothing.
    expect(fast).toBeGreaterThan(350);
  });

  it('answers at once for what state machines mostly do', () => {
    const visit = scope({ a: { b: 1 }, n: 7, s: 'x' }, { vars: { x: [1, 2] } });
    const cases: [Json, Json][] = [
      ['{% $states.input.a.b %}', 1],
      ['{% $x %}', [1, 2]],
      ['{% $states.input.n > 5 and $states.input.s = "x" %}', true],
      ['{% $states.input.missing = 1 %}', false],
      [
        { id: '{% $states.input.s & "-1" %}', list: ['{% $states.input.n + 1 %}', 2] },
        { id: 'x-1', list: [8, 2] },
      ],
      [{ literal: true }, { literal: true }],
    ];
    for (const [output, expected] of cases) {
      const value = evaluate(outputOf(output), visit);
      expect(value).not.toBeInstanceOf(Promise);
      expect(value).toEqual(expected);
    }
  });

  it('leaves functions, filters and arrays within paths to JSONata', async () => {
    const visit = scope({ list: [{ n: 1 }, { n: 2 }] });
    for (const [text, expected] of [
      ['$states.input.list.n', [1, 2]],
      ['$states.input.list[n=2].n', 2],
      ['$count($states.input.list)', 2],
    ] as const) {
      const value = evaluate(outputOf(`{% ${text} %}`), visit);
      expect(value).toBeInstanceOf(Promise);
      expect(await value).toEqual(expected);
    }
  });
});
