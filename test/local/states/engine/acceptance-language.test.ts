import { describe, expect, it } from 'vitest';
import { compile } from '#local/states/language/index.ts';
import { machine, once, P } from './support.ts';

const refused = (definition: unknown) =>
  compile(definition).diagnostics.map(({ code, location }) => ({ code, location }));

describe('expressions and variables in executions', () => {
  it('[embedded-platform 1] an Output expression', async () => {
    expect((await once(P('{% $states.input.a+1 %}'), { a: 2 })).output).toBe(3);
  });

  it('[embedded-platform 2] null is a value and other text is literal', async () => {
    const { output } = await once(P({ x: '{% $states.input.b %}', y: '$b' }), { b: null });
    expect(output).toEqual({ x: null, y: '$b' });
  });

  it('[embedded-platform 3] undefined is States.QueryEvaluationError', async () => {
    const { error, types, events } = await once(P('{% $states.input.z %}'));
    expect(error).toBe('States.QueryEvaluationError');
    expect(types).toEqual(['ExecutionStarted', 'PassStateEntered', 'EvaluationFailed', 'ExecutionFailed']);
    expect(events[2]).toMatchObject({ evaluationFailedEventDetails: { location: 'Output', state: 'S' } });
  });

  it('[embedded-platform 4] undefined within a constructor leaves the key out', async () => {
    expect((await once(P("{% {'k':$states.input.z,'j':1} %}"))).output).toEqual({ j: 1 });
  });

  it('[embedded-platform 5] an unclosed expression is refused where it stands', () => {
    expect(refused(P('{% 1'))).toEqual([expect.objectContaining({ location: '/States/S/Output' })]);
  });

  it('[embedded-platform 6] bare names and misplaced members are refused', () => {
    for (const output of ['{% name %}', '{% $states.result %}']) {
      expect(refused(P(output))).toEqual([
        { code: 'UNSUPPORTED_JSONATA_EXPRESSION', location: '/States/S/Output' },
      ]);
    }
  });

  it('[embedded-platform 7] $partition and $range', async () => {
    expect((await once(P('{% $partition([1,2,3,4,5],2) %}'))).output).toEqual([[1, 2], [3, 4], [5]]);
    expect((await once(P('{% $range(0,10,5) %}'))).output).toEqual([0, 5, 10]);
  });

  it('[embedded-platform 8] $hash', async () => {
    const { output } = await once(P("{% $hash('abc','SHA-1') %}"));
    expect(output).toBe('a9993e364706816aba3e25717850c26c9cd0d89d');
  });

  it('[embedded-platform 9] $parse is there, $eval is not', async () => {
    expect((await once(P("{% $parse('[1,2]')[1] %}"))).output).toBe(2);
    expect((await once(P("{% $eval('1') %}"))).error).toBe('States.QueryEvaluationError');
  });

  it('[embedded-platform 10] equal seeds give equal random numbers', async () => {
    expect((await once(P('{% $random(7)=$random(7) %}'))).output).toBe(true);
  });

  it('[embedded-platform 11] Assign and Output see the variables of state entry', async () => {
    const { output } = await once(
      machine({
        A: { Type: 'Pass', Assign: { x: 1, y: 2 }, Next: 'B' },
        B: { Type: 'Pass', Assign: { x: '{% $y %}', y: '{% $x %}' }, Output: '{% $x %}', Next: 'C' },
        C: { Type: 'Pass', Output: '{% [$x,$y,$states.input] %}', End: true },
      }),
    );
    expect(output).toEqual([2, 1, 1]);
  });

  const choice = (fields: { [key: string]: string }) =>
    machine({
      S: {
        Type: 'Choice',
        Choices: [{ Condition: '{% $states.input.n>5 %}', Output: 'big', Next: 'E' }],
        ...fields,
      },
      E: { Type: 'Succeed' },
    });

  it('[embedded-platform 12] a rule’s Output and the state’s', async () => {
    const definition = choice({ Output: 'small', Default: 'E' });
    expect((await once(definition, { n: 9 })).output).toBe('big');
    expect((await once(definition, { n: 1 })).output).toBe('small');
  });

  it('[embedded-platform 13] no rule and no Default; a condition that is no boolean', async () => {
    expect((await once(choice({}), { n: 1 })).error).toBe('States.NoChoiceMatched');
    const number = machine({
      S: { Type: 'Choice', Choices: [{ Condition: '{% 1 %}', Next: 'E' }], Default: 'E' },
      E: { Type: 'Succeed' },
    });
    expect((await once(number)).error).toBe('States.QueryEvaluationError');
  });

  it('[embedded-platform 25] a name that an enclosing scope assigns is refused in an inner one', () => {
    const definition = machine({
      A: { Type: 'Pass', Assign: { x: 1 }, Next: 'M' },
      M: {
        Type: 'Map',
        Items: [1],
        ItemProcessor: { StartAt: 'I', States: { I: { Type: 'Pass', Assign: { x: 2 }, End: true } } },
        End: true,
      },
    });
    expect(refused(definition)).toEqual([
      { code: 'VARIABLE_CONFLICT', location: '/States/M/ItemProcessor/States/I/Assign/x' },
    ]);
  });

  it('[embedded-platform 33] six faults, reported together with their locations', () => {
    const definition = machine({
      A: { Type: 'Pass', Next: 'Nowhere' },
      B: { Type: 'Pass', InputPath: '$', Next: 'A' },
      C: { Type: 'Task', Resource: 'arn:aws:states:::http:invoke', Credentials: {}, Foo: 1, Next: 'A' },
    });
    const found = refused(definition).map(({ location }) => location);
    for (const location of [
      '/States/A/Next',
      '/States/B',
      '/States/B/InputPath',
      '/States/C/Credentials',
      '/States/C/Foo',
      '/States/C/Resource',
    ]) {
      expect(found).toContainEqual(location);
    }
  });
});
