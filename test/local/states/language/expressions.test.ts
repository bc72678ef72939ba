import { describe, expect, it } from 'vitest';
import type { Json } from '#shared/storage/ports.ts';
import { evaluate, EvaluationFailure } from '#local/states/language/index.ts';
import { outputOf, P, problems, scope, stateOf, T } from './definitions.ts';

/** The value of `P(output)` on an input. */
const run = async (output: Json, input: Json = {}, vars: Record<string, Json> = {}): Promise<Json> =>
  evaluate(outputOf(output), scope(input, { vars }));

/** The failure of `P(output)`. */
async function failure(output: Json, input: Json = {}): Promise<EvaluationFailure> {
  try {
    await evaluate(outputOf(output), scope(input));
  } catch (error) {
    if (error instanceof EvaluationFailure) return error;
    throw error;
  }
  throw new Error('The evaluation did not fail.');
}

const opening = "An error occurred while executing the state 'S' (entered at the event id #2).";
const ending = async (expression: string, input: Json = {}): Promise<string> => {
  const { cause_ } = await failure(`{% ${expression} %}`, input);
  const start = `${opening} The JSONata expression '${expression}' specified for the field 'Output' `;
  expect(cause_.startsWith(start)).toBe(true);
  return cause_.slice(start.length);
};

describe('evaluation', () => {
  it('[embedded-platform 1] computes with the input', async () => {
    expect(await run('{% $states.input.a+1 %}', { a: 2 })).toBe(3);
  });

  it('[embedded-platform 2] keeps null and literals', async () => {
    expect(await run({ x: '{% $states.input.b %}', y: '$b' }, { b: null })).toEqual({ x: null, y: '$b' });
  });

  it('[embedded-platform 3] fails for an undefined result, at its field', async () => {
    const error = await failure('{% $states.input.z %}');
    expect(error).toMatchObject({ error: 'States.QueryEvaluationError', location: 'Output' });
    expect(error.cause_).toBe(
      `${opening} The JSONata expression '$states.input.z' specified for the field 'Output' returned nothing (undefined).`,
    );
    expect((await failure({ a: { b: ['x', '{% $states.input.z %}'] } })).location).toBe('Output/a/b[1]');
  });

  it('[embedded-platform 4] leaves undefined members out of constructors', async () => {
    expect(await run("{% {'k':$states.input.z,'j':1} %}")).toEqual({ j: 1 });
  });

  it('[embedded-platform 7] $partition and $range', async () => {
    expect(await run('{% $partition([1,2,3,4,5],2) %}')).toEqual([[1, 2], [3, 4], [5]]);
    expect(await run('{% $range(0,10,5) %}')).toEqual([0, 5, 10]);
  });

  it('[embedded-platform 8] $hash', async () => {
    expect(await run("{% $hash('abc','SHA-1') %}")).toBe('a9993e364706816aba3e25717850c26c9cd0d89d');
  });

  it('[embedded-platform 9] $parse, and no $eval', async () => {
    expect(await run("{% $parse('[1,2]')[1] %}")).toBe(2);
    expect((await failure("{% $eval('1') %}")).error).toBe('States.QueryEvaluationError');
    expect(await ending("$eval('1')")).toBe(
      'threw an error during evaluation. T1006: Attempted to invoke a non-function',
    );
  });

  it('[embedded-platform 10] $random repeats for equal seeds', async () => {
    expect(await run('{% $random(7)=$random(7) %}')).toBe(true);
    expect(await run('{% $random(7)=$random(8) %}')).toBe(false);
    expect(await run('{% $random() >= 0 and $random() < 1 %}')).toBe(true);
  });

  it('takes only whole strings for expressions', async () => {
    expect(await run(['a{% 1 %}b', '$x', '{ % 1 % }'])).toEqual(['a{% 1 %}b', '$x', '{ % 1 % }']);
    expect(await run('{%1%}')).toBe(1);
    expect(await run('{%\n  1 +\t1  \n%}')).toBe(2);
    expect(problems(P('{%%}'))).toEqual(['INVALID_JSONATA_EXPRESSION /States/S/Output']);
    expect(problems(P('{%}'))).toEqual(['INVALID_JSONATA_EXPRESSION /States/S/Output']);
  });

  it('keeps keys as they are, also those that look like expressions or prototypes', async () => {
    const output = JSON.parse(
      '{"{% 1 %}": 1, "__proto__": "{% 2 %}", "a": {"constructor": "{% 3 %}"}}',
    ) as Json;
    expect(JSON.stringify(await run(output))).toBe('{"{% 1 %}":1,"__proto__":2,"a":{"constructor":3}}');
  });

  it('collapses sequences of one, as JSONata does', async () => {
    const input = { items: [{ n: 3 }], many: [{ n: 3 }, { n: 9 }] };
    expect(await run('{% $states.input.items.n %}', input)).toBe(3);
    expect(await run('{% $states.input.many.n %}', input)).toEqual([3, 9]);
    expect(await run('{% [$states.input.items.n] %}', input)).toEqual([3]);
    expect(await run('{% $states.input.items.n[] %}', input)).toEqual([3]);
    expect(await run('{% $states.input.items %}', input)).toEqual([{ n: 3 }]);
  });

  it('gives plain JSON: arrays lose what JSONata marks them with', async () => {
    const value = (await run('{% $states.input.many.n %}', { many: [{ n: 3 }, { n: 9 }] })) as Json[];
    expect(Object.getOwnPropertyNames(value)).toEqual(['0', '1', 'length']);
  });

  it('prints numbers that JSON cannot write by name', async () => {
    expect(await run('{% 1/0 %}')).toBe('Infinity');
    expect(await run('{% [-1/0] %}')).toEqual(['-Infinity']);
    expect(await run("{% {'k': 1/0} %}")).toEqual({ k: 'Infinity' });
  });

  it('refuses functions and regular expressions as results', async () => {
    const end = "returned an unexpected result type. Expected a JSON value, but was 'function'.";
    expect(await ending('$sum')).toBe(end);
    expect(await ending('/a/')).toBe(end);
    expect(await ending('function($x){$x}')).toBe(end);
    expect(await ending('[$uppercase]')).toBe(end);
  });

  it("words errors with JSONata's code and message", async () => {
    expect(await ending('1+"a"')).toBe(
      'threw an error during evaluation. T2002: The right side of the "+" operator must evaluate to a number',
    );
    expect(await ending('$sum(["a"])')).toBe(
      'threw an error during evaluation. T0412: Argument 1 of function "sum" must be an array of "numbers"',
    );
    expect(await ending("$error('own words')")).toBe('threw an error during evaluation. D3137: own words');
  });

  it('reads the engine clock', async () => {
    expect(await run('{% $now() %}')).toBe('2030-01-31T09:30:00.000Z');
    expect(await run("{% $now('[Y]-[M01]', '+0200') %}")).toBe('2030-01');
    expect(await run('{% $millis() %}')).toBe(Date.UTC(2030, 0, 31, 9, 30));
    expect(await run('{% $millis() ~> $fromMillis() %}')).toBe('2030-01-31T09:30:00.000Z');
  });

  it('sees variables, and only the members of $states that are there', async () => {
    expect(await run('{% $x.y & $s %}', {}, { x: { y: 'a' }, s: 'b' })).toBe('ab');
    expect(await run('{% $states %}', 1)).toEqual({ input: 1, context: { Execution: { Name: 'e1' } } });
    const task = stateOf<'Task'>(T({ Output: '{% $states %}' }));
    expect(await evaluate(task.output!, scope(1, { result: [2] }))).toMatchObject({ input: 1, result: [2] });
    expect(await run('{% $x %}', {}, { x: null })).toBe(null);
    expect(await run('{% ($x := $x + 1; $x) %}', {}, { x: 1 })).toBe(2);
    expect(
      await run(
        '{% [1..2].($random := function($range) { $range }; $random($) + $count($range(1, $, 1))) %}',
      ),
    ).toEqual([2, 4]);
  });

  it('evaluates in document order and stops at the first failure', async () => {
    const error = await failure({ a: '{% $uppercase("x") %}', b: ['{% $states.input.q %}', '{% 1+"a" %}'] });
    expect(error.location).toBe('Output/b[0]');
  });

  it('uses the entropy of the scope', async () => {
    const entropy = { random: () => 0.25, uuid: () => '00000000-0000-4000-8000-000000000000' };
    const value = evaluate(outputOf('{% [$random(), $uuid()] %}'), scope({}, { entropy }));
    expect(await value).toEqual([0.25, '00000000-0000-4000-8000-000000000000']);
    expect(await run('{% $uuid() %}')).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });
});

describe("the service's functions", () => {
  it.each<[string, Json]>([
    ['$partition([1,2,3], 1.9)', [[1], [2], [3]]],
    ['$partition([], 2)', []],
    ['$range(1, 1, 1)', 1],
    ['$range(5, 1, -2)', [5, 3, 1]],
    ['$range(0.9, 3.9, 1.9)', [0, 1, 2, 3]],
    ["$hash('', 'MD5')", 'd41d8cd98f00b204e9800998ecf8427e'],
    ["$length($hash('é', 'SHA-512'))", 128],
    ['$parse(\'{"a":[1]}\').a', [1]],
    ["$parse('null')", null],
    ['$random(42)', 0.7275636800328681],
    ["$hash('input', 'SHA-1')", '140f86aae51ab9e1cda9b4254fe98a74eb54c1a1'],
    ['$range(0, 6, 2)', [0, 2, 4, 6]],
    ['[$random(-1), $random(4.9)] = [$random(-1), $random(4)]', true],
  ])('%s', async (expression, expected) => {
    expect(await run(`{% ${expression} %}`)).toEqual(expected);
  });

  it.each([
    '$partition([1,2],0)',
    '$range(1,5)',
    '$range(1,5,-1)',
    '$range(1,5,0)',
    "$hash('a')",
    '$partition([1])',
  ])('%s is undefined', async (expression) => {
    expect(await ending(expression)).toBe('returned nothing (undefined).');
  });

  it('names what is wrong with an algorithm or a text', async () => {
    expect(await ending("$hash('a','CRC')")).toContain(
      "threw an error during evaluation: Unsupported hash algorithm 'CRC'",
    );
    expect(await ending("$hash('a','constructor')")).toContain("Unsupported hash algorithm 'constructor'");
    expect(await ending("$parse('{')")).toContain('threw an error during evaluation: Failed to parse');
    expect(await ending('$parse(1)')).toContain('T0410');
  });
});

describe('bounds', () => {
  const recursion = (depth: number): string =>
    `($f := function($n) { $n > 0 ? $f($n - 1) + 1 : 0 }; $f(${depth}))`;
  const doubling = (times: number): string =>
    `($p := function($s, $n) { $n = 0 ? $s : $p($s & $s, $n - 1) }; $length($p("x", ${times})))`;

  it('stops recursion near 100 nested evaluations', async () => {
    expect(await run(`{% ${recursion(20)} %}`)).toBe(20);
    expect(await ending(recursion(200))).toBe(
      'threw an error during evaluation: Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive',
    );
    expect(await run(`{% ${Array(100).fill('1').join('+')} %}`)).toBe(100);
    expect(await ending(Array(102).fill('1').join('+'))).toContain('Stack overflow error');
  });

  it('does not take breadth for depth', async () => {
    const wide = `{${Array.from({ length: 300 }, (_, n) => `'k${n}': $uppercase('a')`).join(',')}}`;
    expect(Object.keys((await run(`{% ${wide} %}`)) as object)).toHaveLength(300);
    expect(await run("{% $map([1..500], function($v) {{'a': $v, 'b': $v}}) ~> $count() %}")).toBe(500);
    expect(await run('{% [1..500].[$string($), $string($)] ~> $count() %}')).toBe(500);
  });

  it('stops where memory would run out', async () => {
    const end =
      'threw an error during evaluation: Expression evaluation memory limit exceeded: Check for excessive memory usage';
    expect(await run('{% [1..873782] ~> $count() %}')).toBe(873_782);
    expect(await ending('[1..873783] ~> $count()')).toBe(end);
    expect(await run(`{% ${doubling(22)} %}`)).toBe(4_194_304);
    expect(await ending(doubling(23))).toBe(end);
    expect(await ending('$range(1, 10000000000, 1)')).toBe(end);
  });

  it('stops endless loops after a second', async () => {
    expect(await ending('($f := function($x){ $f($x+1) }; $f(1))')).toBe(
      'threw an error during evaluation: Expression evaluation timeout: Check for infinite loop',
    );
  });
});

describe('hostile member names', () => {
  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', '__defineGetter__'])(
    'a member %s is only there where the data has it',
    async (name) => {
      expect(await ending(`$states.input.${name}`)).toBe('returned nothing (undefined).');
      expect(await ending(`$lookup($states.input, "${name}")`)).toBe('returned nothing (undefined).');
      const own = JSON.parse(`{"${name}": {"x": 1}, "list": [{"${name}": 1}, {"${name}": 2}]}`) as Json;
      expect(await run(`{% $states.input.${name}.x %}`, own)).toBe(1);
      expect(await run(`{% $states.input.list.${name} %}`, own)).toEqual([1, 2]);
      expect(await run(`{% $states.input.list[${name} = 2].${name} %}`, own)).toBe(2);
    },
  );

  it.each(['$states.input.o(1)', '($f := $states.input.o; $f(1))', '$x(1)', '$states.input.o(?)'])(
    'calling data by %s fails and leaves the data as it was',
    async (expression) => {
      const visit = scope({ o: { a: 1 } }, { vars: { x: { b: 2 } } });
      await expect(evaluate(outputOf(`{% ${expression} %}`), visit)).rejects.toThrow(EvaluationFailure);
      expect(visit.input).toEqual({ o: { a: 1 } });
      expect(visit.variables.get('x')).toEqual({ b: 2 });
    },
  );

  it('pollutes no prototype', async () => {
    await failure("{% $states.input.__proto__.($f := __defineGetter__; $f('polluted', function() {1})) %}");
    await run("{% {'__proto__': {'polluted': 1}} %}").catch(() => undefined);
    expect('polluted' in {}).toBe(false);
  });
});
