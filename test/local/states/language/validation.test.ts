import { describe, expect, it } from 'vitest';
import type { Json } from '#shared/storage/ports.ts';
import { compile, validateDefinitionText } from '#local/states/language/index.ts';
import { diagnostics, machine, map, P, problems, T } from './definitions.ts';

describe('creation-time validation', () => {
  it('[embedded-platform 5] refuses an expression with one mark at its place', () => {
    expect(problems(P('{% 1'))).toEqual(['INVALID_JSONATA_EXPRESSION /States/S/Output']);
    expect(problems(P('1 %}'))).toEqual(['INVALID_JSONATA_EXPRESSION /States/S/Output']);
    expect(problems(P({ a: ['x', '{% 1'] }))).toEqual(['INVALID_JSONATA_EXPRESSION /States/S/Output/a/1']);
  });

  it('[embedded-platform 6] refuses bare names and misplaced members of $states', () => {
    expect(problems(P('{% name %}'))).toEqual(['UNSUPPORTED_JSONATA_EXPRESSION /States/S/Output']);
    expect(problems(P('{% $states.result %}'))).toEqual(['UNSUPPORTED_JSONATA_EXPRESSION /States/S/Output']);
    expect(diagnostics(P({ v: '{% phone %}' }))[0]).toEqual({
      severity: 'ERROR',
      code: 'UNSUPPORTED_JSONATA_EXPRESSION',
      message: "Reference to 'phone' at the top level is not supported.",
      location: '/States/S/Output/v',
    });
  });

  it('[embedded-platform 33] reports six problems together, each at its place', () => {
    const definition = machine({
      A: { Type: 'Pass', InputPath: '$.x', Next: 'B' },
      B: {
        Type: 'Task',
        Resource: 'arn:aws:states:::http:invoke',
        Arguments: {},
        Credentials: {},
        Next: 'C',
      },
      C: { Type: 'Pass', Foo: 1, Next: 'Nowhere' },
      Lost: { Type: 'Succeed' },
    });
    expect(problems(definition).sort()).toEqual([
      'MISSING_TRANSITION_TARGET /States/C/Next',
      'MISSING_TRANSITION_TARGET /States/Lost',
      'SCHEMA_VALIDATION_FAILED /States/A/InputPath',
      'SCHEMA_VALIDATION_FAILED /States/B/Credentials',
      'SCHEMA_VALIDATION_FAILED /States/C/Foo',
      'UNSUPPORTED_RESOURCE /States/B/Resource',
    ]);
  });

  it("[embedded-platform 25] refuses an inner Assign of an outer scope's name", () => {
    const definition = machine({
      A: { Type: 'Pass', Assign: { x: 1 }, Next: 'M' },
      M: map({ I: { Type: 'Pass', Assign: { x: 2 }, End: true } }),
    });
    expect(problems(definition)).toEqual(['VARIABLE_CONFLICT /States/M/ItemProcessor/States/I/Assign/x']);
  });

  it('gives the machine exactly where nothing is wrong', () => {
    const good = compile(P('{% 1 %}'));
    expect(good).toMatchObject({ result: 'OK', diagnostics: [] });
    expect(good.machine?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(good.machine?.states.get('S')).toMatchObject({ type: 'Pass', name: 'S' });
    const bad = compile(P('{% 1'));
    expect(bad.result).toBe('FAIL');
    expect(bad).not.toHaveProperty('machine');
  });

  it('takes text and values alike, and hashes the definition whatever its property order', () => {
    const definition = P(1);
    const reordered = Object.fromEntries(Object.entries(definition).reverse());
    expect(compile(JSON.stringify(definition, null, 4)).machine?.sha256).toBe(
      compile(reordered).machine?.sha256,
    );
    expect(validateDefinitionText(JSON.stringify(definition))).toEqual({ result: 'OK', diagnostics: [] });
  });
});

describe('definitions as a whole', () => {
  const refused: [string, unknown, string[]][] = [
    ['text that is not JSON', '{"StartAt":', ['SCHEMA_VALIDATION_FAILED ']],
    ['a value that is no object', [1], ['SCHEMA_VALIDATION_FAILED ']],
    ['undefined', undefined, ['SCHEMA_VALIDATION_FAILED ']],
    ['a value that has no JSON form', { a: 1n }, ['SCHEMA_VALIDATION_FAILED ']],
    ['more than 1 MiB', JSON.stringify(P('x'.repeat(1_048_576))), ['SCHEMA_VALIDATION_FAILED ']],
    [
      'no StartAt',
      { QueryLanguage: 'JSONata', States: { S: { Type: 'Succeed' } } },
      ['SCHEMA_VALIDATION_FAILED '],
    ],
    ['no States', { QueryLanguage: 'JSONata', StartAt: 'S' }, ['SCHEMA_VALIDATION_FAILED ']],
    ['an absent start', { ...P(1), StartAt: 'Z' }, ['MISSING_TRANSITION_TARGET /StartAt']],
    ['another version', { ...P(1), Version: '2.0' }, ['SCHEMA_VALIDATION_FAILED /Version']],
    ['a bad time-out', { ...P(1), TimeoutSeconds: 0 }, ['SCHEMA_VALIDATION_FAILED /TimeoutSeconds']],
    ['an unknown field', { ...P(1), Timeout: 5 }, ['SCHEMA_VALIDATION_FAILED /Timeout']],
    ['an unresolved substitution', P('${Name}'), ['SCHEMA_VALIDATION_FAILED /States/S/Output']],
    ['a state that is no object', machine({ S: 1 }), ['SCHEMA_VALIDATION_FAILED /States/S']],
    [
      'a name of 81 characters',
      machine({ ['é'.repeat(81)]: { Type: 'Succeed' } }),
      [`SCHEMA_VALIDATION_FAILED /States/${'é'.repeat(81)}`],
    ],
    [
      'an unknown type',
      machine({ S: { Type: 'Sleep', End: true } }),
      ['SCHEMA_VALIDATION_FAILED /States/S/Type'],
    ],
    ['no terminal state', machine({ A: { Type: 'Pass', Next: 'A' } }), ['MISSING_END_STATE ']],
    [
      'JSONPath by default',
      { StartAt: 'S', States: { S: { Type: 'Succeed' } } },
      ['SCHEMA_VALIDATION_FAILED /States/S'],
    ],
    [
      'JSONPath asked for',
      machine({ S: { Type: 'Succeed', QueryLanguage: 'JSONPath' } }),
      ['SCHEMA_VALIDATION_FAILED /States/S/QueryLanguage'],
    ],
  ];
  it.each(refused)('refuses %s', (_, definition, expected) => {
    expect(problems(definition)).toEqual(expected);
  });

  it('accepts names of 80 characters, comments with placeholders, and a language per state', () => {
    expect(problems(machine({ ['é'.repeat(80)]: { Type: 'Succeed', Comment: 'sees ${Bucket}' } }))).toEqual(
      [],
    );
    expect(problems({ StartAt: 'S', States: { S: { Type: 'Succeed', QueryLanguage: 'JSONata' } } })).toEqual(
      [],
    );
  });

  it("takes the machine's language for nested states, never the Map's", () => {
    const { QueryLanguage: _language, ...rest } = machine({
      M: map({ I: { Type: 'Pass', End: true } }, { QueryLanguage: 'JSONata' }),
    });
    expect(problems(rest)).toEqual(['SCHEMA_VALIDATION_FAILED /States/M/ItemProcessor/States/I']);
  });

  it('escapes names in locations', () => {
    expect(problems(machine({ 'a/b~c': { Type: 'Pass', End: true, X: 1 } }))).toEqual([
      'SCHEMA_VALIDATION_FAILED /States/a~1b~0c/X',
    ]);
  });

  it('reports what a text gives twice, instead of ignoring half of it', () => {
    const text = `{"QueryLanguage":"JSONata","StartAt":"S","States":{"S":{"Type":"Fail"},
      "\\u0053":{"Type":"Pass","Output":[{"a":"x,{\\"","b":1},{"a":{"a":1},"b":2,"a":3}],"End":true}}}`;
    expect(problems(text)).toEqual([
      'SCHEMA_VALIDATION_FAILED /States/S',
      'SCHEMA_VALIDATION_FAILED /States/S/Output/1/a',
    ]);
  });

  it('reports a definition that is nested beyond what can be read', () => {
    const depth = 6_000;
    const text = `{"QueryLanguage":"JSONata","StartAt":"S","States":{"S":{"Type":"Pass","End":true,"Output":${'['.repeat(depth)}${']'.repeat(depth)}}}}`;
    expect(compile(text).result).toBe('FAIL');
  });
});

describe('fields of states', () => {
  const state = (fields: Record<string, Json>): string[] => problems(machine({ S: fields as never }));
  const at = (path: string): string[] => [`SCHEMA_VALIDATION_FAILED /States/S${path}`];

  const refused: [string, Record<string, Json>, string[]][] = [
    ['neither Next nor End', { Type: 'Pass' }, [...at(''), 'MISSING_END_STATE ']],
    ['both Next and End', { Type: 'Pass', Next: 'S', End: true }, at('')],
    [
      'End that is no boolean',
      { Type: 'Pass', End: 'yes' },
      [...at('/End'), ...at(''), 'MISSING_END_STATE '],
    ],
    ['Next on Succeed', { Type: 'Succeed', Next: 'S' }, at('/Next')],
    ['an expression as Next', { Type: 'Pass', Next: '{% $x %}' }, [...at('/Next'), 'MISSING_END_STATE ']],
    ['a key that ends in .$', { Type: 'Pass', End: true, Output: { 'a.$': 1 } }, at('/Output/a.$')],
    ['Parameters', { Type: 'Pass', End: true, Parameters: {} }, at('/Parameters')],
    ['Retry on Pass', { Type: 'Pass', End: true, Retry: [] }, at('/Retry')],
    ['Assign that is no object', { Type: 'Pass', End: true, Assign: '{% {} %}' }, at('/Assign')],
    ['a variable named states', { Type: 'Pass', End: true, Assign: { states: 1 } }, at('/Assign/states')],
    [
      'a variable JavaScript has',
      { Type: 'Pass', End: true, Assign: { hasOwnProperty: 1 } },
      at('/Assign/hasOwnProperty'),
    ],
    ['a variable that is a path', { Type: 'Pass', End: true, Assign: { 'a.b': 1 } }, at('/Assign/a.b')],
    [
      'a long variable',
      { Type: 'Pass', End: true, Assign: { ['v'.repeat(81)]: 1 } },
      at(`/Assign/${'v'.repeat(81)}`),
    ],
    ['Wait without a time', { Type: 'Wait', End: true }, at('')],
    ['Wait with two', { Type: 'Wait', End: true, Seconds: 1, Timestamp: '2030-01-01T00:00:00Z' }, at('')],
    ['negative seconds', { Type: 'Wait', End: true, Seconds: -1 }, at('/Seconds')],
    ['fractional seconds', { Type: 'Wait', End: true, Seconds: 1.5 }, at('/Seconds')],
    ['seconds as text', { Type: 'Wait', End: true, Seconds: '5' }, at('/Seconds')],
    ['a date that is none', { Type: 'Wait', End: true, Timestamp: '2030-02-30T00:00:00Z' }, at('/Timestamp')],
    ['a time without zone', { Type: 'Wait', End: true, Timestamp: '2030-02-01T00:00:00' }, at('/Timestamp')],
    ['Fail with a reserved error', { Type: 'Fail', Error: 'States.Mine' }, at('/Error')],
    ['Fail with a number', { Type: 'Fail', Cause: 1 }, at('/Cause')],
    ['Choice without rules', { Type: 'Choice' }, [...at(''), 'MISSING_END_STATE ']],
    ['Choice with no rule', { Type: 'Choice', Choices: [] }, [...at('/Choices'), 'MISSING_END_STATE ']],
    [
      'a rule without condition',
      { Type: 'Choice', Choices: [{ Next: 'S' }] },
      [...at('/Choices/0'), 'MISSING_END_STATE '],
    ],
    [
      'a condition that is text',
      { Type: 'Choice', Choices: [{ Condition: 'yes', Next: 'S' }] },
      [...at('/Choices/0/Condition'), 'MISSING_END_STATE '],
    ],
    ['Parallel without branches', { Type: 'Parallel', Branches: [], End: true }, at('/Branches')],
    ['Task without Resource', { Type: 'Task', End: true }, at('')],
    ['Map without processor', { Type: 'Map', End: true }, at('')],
    ['Items that are a number', { ...map({ I: { Type: 'Succeed' } }), Items: 3 }, at('/Items')],
    [
      'literal Items that are an object, inline',
      { ...map({ I: { Type: 'Succeed' } }), Items: {} },
      at('/Items'),
    ],
    [
      'a percentage over 100',
      { ...map({ I: { Type: 'Succeed' } }, { ToleratedFailurePercentage: 101 }) },
      at('/ToleratedFailurePercentage'),
    ],
    [
      'a language of the processor',
      {
        ...map({ I: { Type: 'Succeed' } }),
        ItemProcessor: { QueryLanguage: 'JSONata', StartAt: 'I', States: { I: { Type: 'Succeed' } } },
      },
      at('/ItemProcessor/QueryLanguage'),
    ],
  ];
  it.each(refused)('refuses %s', (_, fields, expected) => {
    expect(state(fields)).toEqual(expected);
  });

  it('reports missing targets of every kind of transition at their places', () => {
    const definition = machine({
      C: {
        Type: 'Choice',
        Choices: [
          { Condition: '{% true %}', Next: 'W' },
          { Condition: true, Next: 'X' },
        ],
        Default: 'Y',
      },
      W: { Type: 'Wait', Seconds: 0, Next: 'T' },
      T: {
        Type: 'Task',
        Resource: 'arn:aws:lambda:us-east-1:000000000000:function:f:live',
        Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Z' }],
        End: true,
      },
    });
    expect(problems(definition)).toEqual([
      'MISSING_TRANSITION_TARGET /States/C/Choices/1/Next',
      'MISSING_TRANSITION_TARGET /States/C/Default',
      'MISSING_TRANSITION_TARGET /States/T/Catch/0/Next',
    ]);
    expect(diagnostics(definition)[0]!.message).toBe("Missing 'Next' target: X");
  });

  it('keeps targets within their own scope', () => {
    const definition = machine({
      P: {
        Type: 'Parallel',
        Branches: [{ StartAt: 'I', States: { I: { Type: 'Pass', Next: 'Z' } } }],
        Next: 'Z',
      },
      Z: { Type: 'Succeed' },
    });
    expect(problems(definition)).toEqual([
      'MISSING_TRANSITION_TARGET /States/P/Branches/0/States/I/Next',
      'MISSING_END_STATE /States/P/Branches/0',
    ]);
  });
});

describe('resources', () => {
  const supported = [
    'lambda:invoke',
    'lambda:invoke.waitForTaskToken',
    'sqs:sendMessage',
    'sqs:sendMessage.waitForTaskToken',
    'states:startExecution',
    'states:startExecution.sync:2',
    'dynamodb:getItem',
    'dynamodb:putItem',
    'dynamodb:updateItem',
    'aws-sdk:s3:getObject',
    'aws-sdk:s3:putObject',
  ];
  it.each(supported)('accepts %s', (name) => {
    expect(problems(T({ Resource: `arn:aws:states:::${name}`, Arguments: '{% $states.input %}' }))).toEqual(
      [],
    );
  });

  it.each([
    'arn:aws:states:::http:invoke',
    'arn:aws:states:::lambda:invoke.sync',
    'arn:aws:states:::states:startExecution.sync',
    'arn:aws:states:::dynamodb:deleteItem',
    'arn:aws:states:::aws-sdk:s3:constructor',
    'arn:aws:states:::constructor',
    'arn:aws:states:us-east-1:000000000000:activity:a',
    'lambda:invoke',
    'constructor',
    '',
  ])('refuses %s', (name) => {
    expect(problems(T({ Resource: name, Arguments: '{% $states.input %}' }))).toEqual([
      'UNSUPPORTED_RESOURCE /States/S/Resource',
    ]);
  });

  it('checks literal arguments', () => {
    expect(problems(T({ Arguments: {} }))).toEqual(['SCHEMA_VALIDATION_FAILED /States/S/Arguments']);
    expect(problems(T({ Arguments: { FunctionName: 'f', Mode: 'x' } }))).toEqual([
      'SCHEMA_VALIDATION_FAILED /States/S/Arguments/Mode',
    ]);
    expect(problems(T({ Arguments: 'text' }))).toEqual(['SCHEMA_VALIDATION_FAILED /States/S/Arguments']);
    expect(
      problems(T({ Resource: 'arn:aws:lambda:us-east-1:1:function:f', Arguments: 'any event' })),
    ).toEqual([]);
  });

  it('refuses a heartbeat that is not below the time-out', () => {
    expect(problems(T({ TimeoutSeconds: 5, HeartbeatSeconds: 5 }))).toEqual([
      'SCHEMA_VALIDATION_FAILED /States/S/HeartbeatSeconds',
    ]);
    expect(problems(T({ TimeoutSeconds: '{% $states.input.t %}', HeartbeatSeconds: 99_999_999 }))).toEqual(
      [],
    );
  });
});

describe('Retry and Catch', () => {
  const retry = (...retriers: Json[]): string[] => problems(T({ Retry: retriers }));
  const at = (path: string): string[] => [`SCHEMA_VALIDATION_FAILED /States/S/Retry/${path}`];

  it.each<[string, Json[], string[]]>([
    ['no names', [{}], at('0')],
    ['an empty list', [{ ErrorEquals: [] }], at('0/ErrorEquals')],
    ['a name that is a number', [{ ErrorEquals: [1] }], at('0/ErrorEquals/0')],
    ['an unknown reserved name', [{ ErrorEquals: ['States.Mine'] }], at('0/ErrorEquals/0')],
    ['States.ALL with company', [{ ErrorEquals: ['States.ALL', 'E'] }], at('0/ErrorEquals')],
    [
      'States.ALL before another',
      [{ ErrorEquals: ['States.ALL'] }, { ErrorEquals: ['E'] }],
      at('0/ErrorEquals'),
    ],
    ['an interval of 0', [{ ErrorEquals: ['E'], IntervalSeconds: 0 }], at('0/IntervalSeconds')],
    ['a rate below 1', [{ ErrorEquals: ['E'], BackoffRate: 0.5 }], at('0/BackoffRate')],
    ['negative attempts', [{ ErrorEquals: ['E'], MaxAttempts: -1 }], at('0/MaxAttempts')],
    ['attempts as an expression', [{ ErrorEquals: ['E'], MaxAttempts: '{% 1 %}' }], at('0/MaxAttempts')],
    ['an unknown jitter', [{ ErrorEquals: ['E'], JitterStrategy: 'SOME' }], at('0/JitterStrategy')],
    ['an unknown field', [{ ErrorEquals: ['E'], Delay: 1 }], at('0/Delay')],
    ['a retrier that is text', ['E'], at('0')],
  ])('refuses %s', (_, retriers, expected) => {
    expect(retry(...retriers)).toEqual(expected);
  });

  it('fills in the defaults', () => {
    const { machine: compiled } = compile(
      T({
        Retry: [
          { ErrorEquals: ['E'] },
          { ErrorEquals: ['States.ALL'], MaxAttempts: 0, MaxDelaySeconds: 4, JitterStrategy: 'FULL' },
        ],
      }),
    );
    expect(compiled?.states.get('S')).toMatchObject({
      retry: [
        { errorEquals: ['E'], intervalSeconds: 1, backoffRate: 2, maxAttempts: 3, jitter: 'NONE' },
        { errorEquals: ['States.ALL'], maxAttempts: 0, maxDelaySeconds: 4, jitter: 'FULL' },
      ],
    });
  });

  it('lets only a catcher see $states.errorOutput, and only Assign and Output of the state see $states.result', () => {
    const fields = { Assign: { a: '{% $states.result %}' }, Output: '{% $states.errorOutput %}' };
    expect(problems(T(fields))).toEqual(['UNSUPPORTED_JSONATA_EXPRESSION /States/S/Output']);
    const caught = {
      Catch: [
        {
          ErrorEquals: ['E'],
          Next: 'F',
          Output: '{% $states.errorOutput %}',
          Assign: { e: '{% $states.result %}' },
        },
      ],
    };
    const definition = machine({ ...(T(caught).States as { S: Json }), F: { Type: 'Fail' } });
    expect(problems(definition)).toEqual(['UNSUPPORTED_JSONATA_EXPRESSION /States/S/Catch/0/Assign/e']);
    expect(problems(T({ Arguments: { FunctionName: '{% $states.result %}' } }))).toEqual([
      'UNSUPPORTED_JSONATA_EXPRESSION /States/S/Arguments/FunctionName',
    ]);
  });
});
