import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '#shared/storage/ports.ts';
import { compile, evaluate, EvaluationFailure } from '#local/states/language/index.ts';
import { machine, map, P, scope, T } from './definitions.ts';

const FIELDS = [
  'Type', 'StartAt', 'States', 'Next', 'End', 'Output', 'Assign', 'Arguments', 'Retry', 'Catch', 'ErrorEquals',
  'Choices', 'Condition', 'Default', 'Seconds', 'Timestamp', 'Branches', 'Items', 'ItemProcessor', 'ProcessorConfig',
  'ItemReader', 'ReaderConfig', 'ItemBatcher', 'ResultWriter', 'WriterConfig', 'Label', 'QueryLanguage', 'Resource',
  'TimeoutSeconds', 'Mode', 'ExecutionType', 'Version', 'Comment', '__proto__', 'constructor', 'a.$', 'S',
]; // prettier-ignore
const WORDS = [
  'Task', 'Pass', 'Choice', 'Wait', 'Parallel', 'Map', 'Succeed', 'Fail', 'JSONata', 'DISTRIBUTED', 'S', 'A',
  '{% $states.input %}', '{% $x %}', '{%', '%}', '{% ( %}', '${X}', 'States.ALL', 'arn:aws:states:::lambda:invoke',
]; // prettier-ignore

const anything: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    fc.constantFrom<Json>(...WORDS, null, true, false, 0, 1, -1, 1.5, 1e308),
    fc.string(),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...FIELDS), fc.string()), tie('value'), { maxKeys: 6 }),
  ),
})).value;

/** A valid definition of every field, to be broken. */
const rich: Json = machine({
  S: {
    Type: 'Task',
    Resource: 'arn:aws:states:::lambda:invoke',
    Arguments: { FunctionName: 'f', Payload: '{% $states.input %}' },
    Retry: [{ ErrorEquals: ['E'], IntervalSeconds: 2, BackoffRate: 2, MaxAttempts: 1 }],
    Catch: [{ ErrorEquals: ['States.ALL'], Assign: { e: '{% $states.errorOutput %}' }, Next: 'F' }],
    Assign: { r: '{% $states.result %}' },
    Next: 'C',
  },
  C: { Type: 'Choice', Choices: [{ Condition: '{% $r.n > 1 %}', Next: 'W' }], Default: 'P' },
  W: { Type: 'Wait', Seconds: '{% $r.n %}', Next: 'P' },
  P: {
    Type: 'Parallel',
    Branches: [{ StartAt: 'I', States: { I: { Type: 'Pass', Assign: { v: 1 }, End: true } } }],
    Next: 'M',
  },
  M: {
    ...map(
      { J: { Type: 'Pass', Output: '{% $states.context.Map.Item.Value %}', End: true } },
      {
        ItemReader: {
          Resource: 'arn:aws:states:::s3:getObject',
          Arguments: { Bucket: 'b', Key: 'k' },
          ReaderConfig: { InputType: 'CSV', CSVHeaderLocation: 'FIRST_ROW', MaxItems: 5 },
        },
        ItemBatcher: { MaxItemsPerBatch: 2, BatchInput: { k: 1 } },
        ResultWriter: { Resource: 'arn:aws:states:::s3:putObject', Arguments: { Bucket: 'b' } },
        Label: 'l',
      },
      { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
    ),
  },
  F: { Type: 'Fail', Error: 'E', Cause: '{% $e.Cause %}' },
});

/** Every place of a value, as a path of keys. */
function places(value: Json, at: (string | number)[] = []): (string | number)[][] {
  if (value === null || typeof value !== 'object') return [at];
  const inner = Array.isArray(value)
    ? value.flatMap((item, index) => places(item, [...at, index]))
    : Object.entries(value).flatMap(([key, item]) => places(item, [...at, key]));
  return [at, ...inner];
}

function replace(value: Json, path: (string | number)[], by: Json): Json {
  const [key, ...rest] = path;
  if (key === undefined) return by;
  if (Array.isArray(value))
    return value.map((item, index) => (index === key ? replace(item, rest, by) : item));
  const object = value as { [key: string]: Json };
  return { ...object, [key]: replace(object[key]!, rest, by) };
}

function check(definition: unknown): void {
  const { result, diagnostics, machine: compiled } = compile(definition);
  expect(result === 'OK').toBe(compiled !== undefined);
  expect(result === 'FAIL').toBe(diagnostics.length > 0);
  for (const { location, message } of diagnostics) {
    expect(location === '' || location.startsWith('/')).toBe(true);
    expect(message).not.toBe('');
  }
}

describe('fuzz', () => {
  it('compiles or refuses any JSON, and never throws', () => {
    expect(compile(rich).diagnostics).toEqual([]);
    fc.assert(fc.property(anything, check), { numRuns: 600, seed: 1 });
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => check(text)),
      { numRuns: 300, seed: 2 },
    );
  });

  it('compiles or refuses any definition with one place changed', () => {
    const all = places(rich);
    fc.assert(
      fc.property(fc.constantFrom(...all), anything, (path, by) => check(replace(rich, path, by))),
      { numRuns: 800, seed: 3 },
    );
  });

  it('takes states and fields anywhere in any order', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('S', 'A', 'B'), anything, { minKeys: 1 }), (states) => {
        check(machine(states as never));
        check(T(states as never));
      }),
      { numRuns: 300, seed: 4 },
    );
  });

  it('parses or refuses any text as an expression, and evaluates it to JSON or a failure', async () => {
    const token = fc.constantFrom(
      '$', '$x', '$states.input', '.', 'a', '[', ']', '(', ')', '{', '}', ':', ',', '1', '-', '+', '"s"', '?', '~>',
      '$map', '$sum', 'function($v){$v}', ':=', ';', '..', '*', '**', '%', '@$i', '#$j', '^', '<', '/a/', '|', '`', '\\',
      '__proto__', 'constructor', 'and', 'in',
    ); // prettier-ignore
    const text = fc.array(token, { minLength: 1, maxLength: 8 }).map((tokens) => tokens.join(' '));
    await fc.assert(
      fc.asyncProperty(text, anything, async (expression, input) => {
        const { machine: compiled } = compile(P(`{% ${expression} %}`));
        const state = compiled?.states.get('S');
        if (!state?.output) return;
        const before = JSON.stringify(input);
        try {
          const value = await evaluate(state.output, scope(input, { vars: { x: input } }));
          expect(JSON.parse(JSON.stringify(value))).toEqual(value);
        } catch (error) {
          expect(error).toBeInstanceOf(EvaluationFailure);
        }
        // What an expression sees is shared with other states and executions.
        expect(JSON.stringify(input)).toBe(before);
      }),
      { numRuns: 1_000, seed: 5 },
    );
  });
});
