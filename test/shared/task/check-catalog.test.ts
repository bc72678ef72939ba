import { describe, expect, test } from 'vitest';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { checkCatalog, describeFindings, type Finding } from '#shared/task/check-catalog.ts';
import { STANDARD_RETRY } from '#shared/task/standard-retry.ts';
import { other, wordCount } from '#test/support/catalog.ts';

const lambda = (task: string, next: object, more: object = {}) => ({
  Type: 'Task',
  Comment: `Calls ${task}.`,
  Resource: 'arn:aws:states:::lambda:invoke',
  Arguments: { FunctionName: `\${${task}FunctionArn}`, Payload: '{% $states.input %}' },
  TimeoutSeconds: 60,
  Retry: [STANDARD_RETRY],
  ...next,
  ...more,
});
const caught = { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Finish' }] };

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests reach anywhere into the definition
type Definition = any;

/** A definition without faults, of word-count. */
const sound = (): Definition =>
  structuredClone({
    Comment: 'Counts words.',
    QueryLanguage: 'JSONata',
    StartAt: 'Begin',
    States: {
      Begin: lambda('Begin', { Next: 'Any' }, caught),
      Any: {
        Type: 'Choice',
        Comment: 'Any?',
        Choices: [{ Condition: '{% true %}', Next: 'Count' }],
        Default: 'Finish',
      },
      Count: {
        Type: 'Map',
        Comment: 'Counts each source.',
        Label: 'Count',
        MaxConcurrency: '{% ${CountConcurrency} %}',
        ItemProcessor: {
          ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
          StartAt: 'CountOne',
          States: { CountOne: lambda('Count', { Next: 'Infer' }), Infer: lambda('Infer', { End: true }) },
        },
        ...caught,
        Next: 'Finish',
      },
      Finish: lambda('Finish', { Next: 'Ended' }),
      Ended: {
        Type: 'Choice',
        Comment: 'How?',
        Choices: [{ Condition: '{% true %}', Next: 'Succeeded' }],
        Default: 'Failed',
      },
      Succeeded: { Type: 'Succeed', Comment: 'Done.' },
      Failed: { Type: 'Fail', Comment: 'Not done.' },
    },
  });

const entry = wordCount as WorkflowEntry;
const check = (
  change: (definition: Definition) => void = () => {},
  changed: Partial<WorkflowEntry> = {},
  others: WorkflowEntry[] = [],
) => {
  const definition = sound();
  change(definition);
  const text = JSON.stringify(definition);
  return checkCatalog(
    [{ ...entry, ...changed }, ...others],
    { 'word-count.asl.json': text, 'other.asl.json': text },
    ['tiny'],
  );
};
const found = (findings: Finding[]) => findings.map(({ code, pointer }) => [code, pointer]);

test('a sound catalog has no findings', () => {
  expect(check()).toEqual([]);
  expect(check(undefined, {}, [other])).toEqual([]);
});

describe('[infra-api-cli 7] placeholders and tasks', () => {
  test('a misspelt placeholder is one finding with its pointer', () => {
    const findings = check(
      (d) => (d.States.Count.ItemProcessor.States.CountOne.Arguments.FunctionName = '${CuontFunctionArn}'),
    );
    expect(findings).toEqual([
      {
        workflow: 'word-count',
        file: 'statemachines/word-count.asl.json',
        pointer: '/States/Count/ItemProcessor/States/CountOne/Arguments/FunctionName',
        code: 'unknown-placeholder',
        message: '${CuontFunctionArn} is no placeholder of word-count. Did you mean ${CountFunctionArn}?',
      },
    ]);
  });

  test('an unused task is one finding with its pointer', () => {
    const spare = { ...entry.tasks, 'spare-part': { ...entry.tasks.count! } };
    const findings = check(undefined, { tasks: spare });
    expect(findings).toMatchObject([
      { file: 'functions/word-count/workflow.ts', pointer: '/tasks/spare-part', code: 'unused-task' },
    ]);
    expect(describeFindings(findings)).toBe(
      'functions/word-count/workflow.ts#/tasks/spare-part: No state invokes ${SparePartFunctionArn}.',
    );
  });
});

test('[infra-api-cli 8] a stray ${ in JSONata is reported', () => {
  const findings = check(
    (d) => (d.States.Any.Choices[0].Condition = "{% $match($states.input.x, /^${n}$/) ? '${a.b}' : '${' %}"),
  );
  expect(new Set(found(findings).map(([, pointer]) => pointer))).toEqual(
    new Set(['/States/Any/Choices/0/Condition']),
  );
  expect(
    found(findings)
      .map(([code]) => code)
      .sort(),
  ).toEqual(['stray-placeholder', 'stray-placeholder', 'unknown-placeholder']);
});

describe('definitions', () => {
  const rows: [string, (definition: Definition) => void, [string, string][]][] = [
    ['not JSONata', (d) => delete d.QueryLanguage, [['not-jsonata', '/QueryLanguage']]],
    [
      'a JSONPath state',
      (d) => (d.States.Any.QueryLanguage = 'JSONPath'),
      [['not-jsonata', '/States/Any/QueryLanguage']],
    ],
    [
      'no Comment',
      (d) => delete d.States.Count.ItemProcessor.States.Infer.Comment,
      [['missing-comment', '/States/Count/ItemProcessor/States/Infer']],
    ],
    ['Begin not first', (d) => (d.StartAt = 'Any'), [['begin-not-first', '/StartAt']]],
    [
      'a path that avoids Finish',
      (d) => (d.States.Any.Default = 'Succeeded'),
      [['path-without-finish', '/States/Succeeded']],
    ],
    [
      'a catcher that avoids Finish',
      (d) => (d.States.Count.Catch[0].Next = 'Failed'),
      [['path-without-finish', '/States/Failed']],
    ],
    ['no time-out', (d) => delete d.States.Begin.TimeoutSeconds, [['missing-timeout', '/States/Begin']]],
    ['no retry', (d) => delete d.States.Finish.Retry, [['missing-retry', '/States/Finish/Retry']]],
    [
      'a retry of everything',
      (d) => (d.States.Finish.Retry = [{ ...STANDARD_RETRY, ErrorEquals: ['States.ALL'] }]),
      [['missing-retry', '/States/Finish/Retry']],
    ],
    [
      'a retry without jitter',
      (d) => (d.States.Finish.Retry = [{ ...STANDARD_RETRY, JitterStrategy: 'NONE' }]),
      [['missing-retry', '/States/Finish/Retry']],
    ],
    [
      'a retry that forgets an error',
      (d) => (d.States.Finish.Retry = [{ ...STANDARD_RETRY, ErrorEquals: ['ModelThrottled'] }]),
      [['missing-retry', '/States/Finish/Retry']],
    ],
    ['no catch on a task', (d) => delete d.States.Begin.Catch, [['missing-catch', '/States/Begin/Catch']]],
    ['no catch on a Map', (d) => delete d.States.Count.Catch, [['missing-catch', '/States/Count/Catch']]],
    ['no label', (d) => delete d.States.Count.Label, [['map-label', '/States/Count/Label']]],
    ['a long label', (d) => (d.States.Count.Label = 'x'.repeat(41)), [['map-label', '/States/Count/Label']]],
    [
      'a label twice',
      (d) => {
        d.States.Again = { ...d.States.Count, Next: 'Finish' };
        d.States.Count.Next = 'Again';
      },
      [['map-label', '/States/Again/Label']],
    ],
  ];
  test.each(rows)('%s', (_, change, expected) => expect(found(check(change))).toEqual(expected));

  test('a more patient retry, as inference has it, is fine', () => {
    const patient = [
      {
        ...STANDARD_RETRY,
        ErrorEquals: STANDARD_RETRY.ErrorEquals.slice(0, 4),
        IntervalSeconds: 5,
        MaxDelaySeconds: 300,
        MaxAttempts: 50,
      },
      { ...STANDARD_RETRY, ErrorEquals: STANDARD_RETRY.ErrorEquals.slice(4) },
    ];
    expect(check((d) => (d.States.Count.ItemProcessor.States.Infer.Retry = patient))).toEqual([]);
  });

  test('that are missing, no JSON or no machine', () => {
    expect(found(checkCatalog([entry], {}, []))).toEqual([['missing-definition', '/definition']]);
    expect(found(checkCatalog([entry], { 'word-count.asl.json': '{' }, []))).toEqual([
      ['malformed-definition', ''],
    ]);
    expect(found(checkCatalog([entry], { 'word-count.asl.json': '[]' }, []))).toEqual([
      ['malformed-definition', ''],
    ]);
  });
});

describe('entries', () => {
  test('names: form, repeats, lengths of what is made of them', () => {
    expect(found(check(undefined, { name: 'Word.Count', triggers: { api: true } }))).toEqual([
      ['malformed-name', '/name'],
    ]);
    expect(found(check(undefined, { name: 'unknown', triggers: { api: true } }))).toEqual([
      ['malformed-name', '/name'],
    ]);
    expect(found(check(undefined, {}, [{ ...other, name: 'word-count' }]))).toEqual([
      ['duplicate-name', '/name'],
    ]);
    const long = 'a-task-whose-name-is-so-long-that-lambda-refuses-it';
    const findings = check(
      (d) => (d.States.Any.Comment = '${ATaskWhoseNameIsSoLongThatLambdaRefusesItFunctionArn}'),
      {
        tasks: { ...entry.tasks, [long]: entry.tasks.count! },
      },
    );
    expect(found(findings)).toEqual([['name-too-long', `/tasks/${long}`]]);
  });

  test('missing modules', () => {
    const text = JSON.stringify(sound());
    const findings = checkCatalog([entry], { 'word-count.asl.json': text }, [], {
      entryExists: (module) => module !== 'word-count/tasks/count.ts',
    });
    expect(found(findings)).toEqual([['missing-entry', '/tasks/count/entry']]);
  });

  test('packages that are no dependency, and modules beside the bundle', () => {
    const text = JSON.stringify(sound());
    const count = {
      ...entry.tasks.count!,
      packages: ['known', 'forgotten'],
      modules: ['shared/a/worker.ts', 'shared/b/worker.ts', 'shared/gone.ts', 'shared/index.ts'],
    };
    const findings = checkCatalog(
      [{ ...entry, tasks: { ...entry.tasks, count } }],
      { 'word-count.asl.json': text },
      ['tiny'],
      {
        entryExists: (module) => module !== '../shared/gone.ts',
        dependencies: new Set(['known']),
      },
    );
    expect(found(findings)).toEqual([
      ['missing-package', '/tasks/count/packages/1'],
      ['duplicate-name', '/tasks/count/modules/1'],
      ['missing-entry', '/tasks/count/modules/2'],
      ['duplicate-name', '/tasks/count/modules/3'],
    ]);
    expect(findings[0]!.message).toContain('npm install --save-exact forgotten');
  });

  test('capabilities, models and limits of tasks', () => {
    const count = {
      ...entry.tasks.count!,
      memoryMb: 64,
      capabilities: ['artifacts:delete', 'models:tiny', 'workflows:start:none'] as never,
    };
    const infer = {
      ...entry.tasks.infer!,
      capabilities: ['models:tiny', 'models:huge', 'models:default'] as never,
    };
    const findings = check(undefined, { tasks: { ...entry.tasks, count, infer } });
    // A capability to start a workflow makes a placeholder, which nothing has to use.
    expect(found(findings)).toEqual([
      ['task-limits', '/tasks/count/memoryMb'],
      ['unknown-capability', '/tasks/count/capabilities/0'],
      ['unknown-capability', '/tasks/count/capabilities/1'],
      ['unknown-capability', '/tasks/count/capabilities/2'],
      ['unknown-model', '/tasks/infer/capabilities/1'],
    ]);
  });

  test('examples that the schema refuses', () => {
    const examples = [{ title: 'Bad', input: { sources: [{ url: 'x' }] } }];
    expect(found(check(undefined, { examples }))).toEqual([
      ['example-refused', '/examples/0/input/sources/0/uri'],
      ['example-refused', '/examples/0/input/sources/0/url'],
    ]);
  });

  test('prefixes outside their place or over one another', () => {
    const s3 = (prefix: string) => ({ api: true, s3: { ...entry.triggers.s3!, prefix } });
    expect(found(check(undefined, { triggers: s3('ingest/') }))).toEqual([
      ['s3-prefix', '/triggers/s3/prefix'],
    ]);
    expect(found(check(undefined, { triggers: s3('ingest/word-count') }))).toEqual([
      ['s3-prefix', '/triggers/s3/prefix'],
    ]);
    const twin = { ...entry, triggers: s3('ingest/word-count/sub/') };
    expect(found(check(undefined, {}, [twin]))).toEqual([
      ['duplicate-name', '/name'],
      ['s3-prefix', '/triggers/s3/prefix'],
    ]);
  });
});
