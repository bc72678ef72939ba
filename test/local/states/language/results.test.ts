import { describe, expect, it } from 'vitest';
import type { Json } from '#shared/storage/ports.ts';
import { evaluateAs, EvaluationFailure, resultTypes } from '#local/states/language/index.ts';
import { machine, map, scope, stateOf, T } from './definitions.ts';

const wait = (seconds: Json) =>
  stateOf<'Wait'>(machine({ S: { Type: 'Wait', Seconds: seconds, End: true } })).seconds!;

describe('result types', () => {
  it('gives values of the right type, at once where no JSONata is needed', async () => {
    expect(evaluateAs(resultTypes.seconds, wait(5), scope())).toBe(5);
    expect(evaluateAs(resultTypes.seconds, wait('{% $states.input.s %}'), scope({ s: 0 }))).toBe(0);
    expect(await evaluateAs(resultTypes.seconds, wait('{% $sum([1,2]) %}'), scope())).toBe(3);
  });

  it('words a wrong type as the service does', () => {
    const items = stateOf<'Map'>(
      machine({ S: map({ I: { Type: 'Succeed' } }, { Items: "{% {'foo': 'bar'} %}" }) }),
    ).items!;
    expect(() => evaluateAs(resultTypes.items, items, scope())).toThrow(
      "An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '{'foo': 'bar'}' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'object' for value: {\"foo\":\"bar\"}",
    );
    expect(evaluateAs(resultTypes.distributedItems, items, scope())).toEqual({ foo: 'bar' });
  });

  it.each<[Json, string]>([
    [-1, 'must be an integer from 0 to 99999999'],
    [1.5, 'must be an integer'],
    [1e9, 'must be an integer'],
  ])('refuses %s seconds', (seconds, words) => {
    const template = wait('{% $states.input %}');
    expect(() => evaluateAs(resultTypes.seconds, template, scope(seconds))).toThrow(words);
  });

  it.each<[Json, string]>([
    ['5', 'string'],
    [null, 'null'],
    [[1], 'array'],
    [true, 'boolean'],
  ])('refuses %j as seconds', (seconds, type) => {
    const template = wait('{% $states.input %}');
    const run = () => evaluateAs(resultTypes.seconds, template, scope(seconds));
    expect(run).toThrow(EvaluationFailure);
    expect(run).toThrow(`Expected 'number', but was '${type}' for value: ${JSON.stringify(seconds)}`);
  });

  it('checks timestamps, booleans, texts and limits', () => {
    const task = stateOf<'Task'>(T({ TimeoutSeconds: '{% $states.input %}' })).timeoutSeconds!;
    expect(() => evaluateAs(resultTypes.timeoutSeconds, task, scope(0))).toThrow('from 1 to 99999999');
    expect(evaluateAs(resultTypes.timestamp, task, scope('2030-01-01T00:00:00+01:00'))).toBe(
      '2030-01-01T00:00:00+01:00',
    );
    expect(() => evaluateAs(resultTypes.timestamp, task, scope('tomorrow'))).toThrow('RFC 3339');
    expect(() => evaluateAs(resultTypes.condition, task, scope(1))).toThrow(
      "Expected 'boolean', but was 'number' for value: 1",
    );
    expect(() => evaluateAs(resultTypes.text, task, scope(1))).toThrow("Expected 'string'");
    expect(() => evaluateAs(resultTypes.toleratedFailurePercentage, task, scope(101))).toThrow(
      'from 0 to 100',
    );
    expect(evaluateAs(resultTypes.toleratedFailurePercentage, task, scope(2.5))).toBe(2.5);
  });
});
