import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '#local/states/command.ts';
import { command, machine, P, T } from './support.ts';

let directory: string;
const file = (name: string, content: unknown): string => {
  const path = join(directory, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'agentmill-states-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const TASKS = `
export const functions = {
  f: (event, context) => { console.log('printed by a task'); return { event, name: context.functionName }; },
  fails: () => { throw Object.assign(new Error('no'), { name: 'Custom' }); },
  later: async (event, { agentmill }) => {
    void agentmill.clock.sleep(60_000).then(() => agentmill.tasks.success(event.token, 'late'));
    return null;
  },
  big: () => ({ n: 1n }),
};
export const workers = [{
  queue: 'work',
  async onMessage({ body }, api) {
    const { token, n } = JSON.parse(body);
    await api.objects.put('b', 'seen/' + n, 'yes');
    await api.tasks.success(token, { n, keys: await api.objects.list('b', 'seen/') });
  },
}];
export const resources = {
  queues: ['https://sqs.us-east-1.amazonaws.com/1/work'],
  tables: { things: { pk: 'id' } },
  machines: { 'arn:aws:states:us-east-1:123456789012:stateMachine:inner':
    { QueryLanguage: 'JSONata', StartAt: 'P', States: { P: { Type: 'Pass', Output: { got: '{% $states.input %}' }, End: true } } } },
};
export async function setup(api) { await api.objects.put('b', 'greeting', { hello: 'world' }); }
`;

describe('agentmill states run', () => {
  it('prints one object with the output and the history, and exits 0', async () => {
    const definition = file('p.json', P('{% $states.input.a + 1 %}'));
    const { code, stdout, stderr, result } = await command(
      ['run', '--definition', definition, '--input', '-', '--json'],
      '{"a":2}',
    );
    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(stdout.trimEnd()).not.toContain('\n');
    expect(result).toMatchObject({ status: 'SUCCEEDED', output: 3 });
    expect(Object.keys(result)).toEqual(['status', 'output', 'events']);
    expect(result.events.map(({ id, type, previousEventId }) => [id, type, previousEventId])).toEqual([
      [1, 'ExecutionStarted', 0],
      [2, 'PassStateEntered', 0],
      [3, 'PassStateExited', 2],
      [4, 'ExecutionSucceeded', 3],
    ]);
    expect(result.events[0]).toMatchObject({ executionStartedEventDetails: { input: '{"a":2}' } });
    expect(Date.parse(String(result.events[0]!['timestamp']))).toBeGreaterThan(0);
    const indented = await command(['run', '--definition', definition]);
    expect(indented.code).toBe(1);
    expect(indented.stdout).toContain('\n  "status": "FAILED"');
    expect(indented.result).not.toHaveProperty('output');
  });

  it('refuses a bad definition with all its diagnostics, and exits 2', async () => {
    const { code, result } = await command([
      'run',
      '--definition',
      file('bad.json', machine({ S: { Type: 'Pass', Foo: 1 } })),
      '--json',
    ]);
    expect(code).toBe(2);
    expect(result.status).toBe('REFUSED');
    expect(result.events).toEqual([]);
    expect(result.diagnostics!.map(({ location }) => location)).toContain('/States/S/Foo');
  });

  it('says what is wrong with its arguments, on standard error alone', async () => {
    const definition = file('usage.json', P(1));
    for (const argv of [
      ['run'],
      ['run', '--definition', join(directory, 'none.json')],
      ['run', '--definition', definition, '--input', file('input.json', '{')],
      ['run', '--definition', definition, '--nonsense'],
      ['run', '--definition', definition, '--tasks', join(directory, 'none.ts')],
      ['run', '--definition', definition, '--tasks', file('odd.mjs', 'export const functions = { f: 1 };')],
      ['validate'],
      ['other'],
      [],
    ]) {
      const { code, stdout, stderr } = await command(argv);
      expect([code, stdout], stderr).toEqual([2, '']);
      expect(stderr).toContain('Usage: agentmill states');
    }
  });

  it('exits 3 when the tasks module itself fails', async () => {
    const { code, stdout, stderr } = await command([
      'run',
      '--definition',
      file('three.json', P(1)),
      '--tasks',
      file('throws.mjs', "throw new Error('broken module');"),
    ]);
    expect([code, stdout]).toEqual([3, '']);
    expect(stderr).toContain('broken module');
  });

  it('finds functions by text, without alias, and by bare name; what they print goes to standard error', async () => {
    const tasks = file('tasks.mjs', TASKS);
    for (const name of [
      'f',
      'f:live',
      'arn:aws:lambda:us-east-1:123456789012:function:f',
      'arn:aws:lambda:us-east-1:123456789012:function:f:3',
    ]) {
      const definition = file(
        'f.json',
        T({
          Arguments: { FunctionName: name, Payload: { x: 1 } },
          Output: '{% $states.result.Payload.event %}',
        }),
      );
      const { code, stderr, result } = await command([
        'run',
        '--definition',
        definition,
        '--tasks',
        tasks,
        '--json',
      ]);
      expect([code, result.output]).toEqual([0, { x: 1 }]);
      expect(stderr).toContain('printed by a task');
    }
    const unknown = await command(['run', '--definition', file('u.json', T({}, {})), '--json']);
    expect(unknown.result).toMatchObject({ status: 'FAILED', error: 'Lambda.ResourceNotFoundException' });
    const marshal = await command([
      'run',
      '--definition',
      file('g.json', T({ Arguments: { FunctionName: 'big' } })),
      '--tasks',
      tasks,
      '--json',
    ]);
    expect(marshal.result.error).toBe('Runtime.MarshalError');
    const fails = await command([
      'run',
      '--definition',
      file('h.json', T({ Arguments: { FunctionName: 'fails' } })),
      '--tasks',
      tasks,
      '--json',
    ]);
    expect([fails.code, fails.result.error]).toEqual([1, 'Custom']);
    expect(JSON.parse(fails.result.cause!)).toMatchObject({ errorType: 'Custom', errorMessage: 'no' });
  });

  it('serves workers, callbacks of functions, objects, tables, queues and nested machines', async () => {
    const tasks = file('tasks2.mjs', TASKS);
    const token = '{% $states.context.Task.Token %}';
    const sqs = 'arn:aws:states:::sqs:sendMessage.waitForTaskToken';
    const next = (state: object, Next: string) => ({ ...state, Next });
    const definition = machine({
      A: next(
        {
          Type: 'Task',
          Resource: sqs,
          Arguments: { QueueUrl: 'https://x/1/work', MessageBody: { token, n: 7 } },
          Assign: { a: '{% $states.result %}' },
        },
        'B',
      ),
      B: next(
        {
          Type: 'Task',
          Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
          Arguments: { FunctionName: 'later', Payload: { token } },
          Assign: { b: '{% $states.result %}' },
        },
        'C',
      ),
      C: next(
        {
          Type: 'Task',
          Resource: 'arn:aws:states:::aws-sdk:s3:getObject',
          Arguments: { Bucket: 'b', Key: 'greeting' },
          Assign: { c: '{% $parse($states.result.Body) %}' },
        },
        'D',
      ),
      D: next(
        {
          Type: 'Task',
          Resource: 'arn:aws:states:::dynamodb:putItem',
          Arguments: {
            TableName: 'things',
            Item: { id: { S: 'i' }, n: { N: '1' } },
            ConditionExpression: 'attribute_not_exists(id)',
          },
        },
        'E',
      ),
      E: next(
        {
          Type: 'Task',
          Resource: 'arn:aws:states:::dynamodb:updateItem',
          Arguments: {
            TableName: 'things',
            Key: { id: { S: 'i' } },
            UpdateExpression: 'SET #t = :t ADD n :one',
            ExpressionAttributeNames: { '#t': 'text' },
            ExpressionAttributeValues: { ':t': { S: 'x' }, ':one': { N: '1' } },
            ReturnValues: 'ALL_NEW',
          },
          Assign: { e: '{% $states.result.Attributes %}' },
        },
        'F',
      ),
      F: next(
        {
          Type: 'Task',
          Resource: 'arn:aws:states:::states:startExecution.sync:2',
          Arguments: {
            StateMachineArn: 'arn:aws:states:us-east-1:123456789012:stateMachine:inner',
            Input: { q: 1 },
          },
          Assign: { f: '{% $states.result.Output %}' },
        },
        'G',
      ),
      G: {
        Type: 'Task',
        Resource: 'arn:aws:states:::dynamodb:putItem',
        Arguments: {
          TableName: 'things',
          Item: { id: { S: 'i' } },
          ConditionExpression: 'attribute_not_exists(id)',
        },
        Catch: [
          {
            ErrorEquals: ['DynamoDB.ConditionalCheckFailedException'],
            Next: 'Z',
            Output: '{% [$a,$b,$c,$e,$f] %}',
          },
        ],
        End: true,
      },
      Z: { Type: 'Succeed' },
    });
    const { code, result } = await command([
      'run',
      '--definition',
      file('all.json', definition),
      '--tasks',
      tasks,
      '--virtual-clock',
      '--json',
    ]);
    expect(result.cause).toBeUndefined();
    expect(code).toBe(0);
    expect(result.output).toEqual([
      { n: 7, keys: ['seen/7'] },
      'late',
      { hello: 'world' },
      { id: { S: 'i' }, n: { N: '2' }, text: { S: 'x' } },
      { got: { q: 1 } },
    ]);
    const undeclared = machine({
      A: {
        Type: 'Task',
        Resource: 'arn:aws:states:::sqs:sendMessage',
        Arguments: { QueueUrl: 'other', MessageBody: 'x' },
        End: true,
      },
    });
    expect((await command(['run', '--definition', file('n.json', undeclared), '--json'])).result.error).toBe(
      'SQS.QueueDoesNotExistException',
    );
  });

  it('reads and writes objects below --objects; absent buckets and keys have S3’s names', async () => {
    const objects = join(directory, 'objects');
    mkdirSync(join(objects, 'b'), { recursive: true });
    writeFileSync(join(objects, 'b', 'items.jsonl'), '{"n":1}\n{"n":2}\n');
    const map = {
      Type: 'Map',
      ItemReader: {
        Resource: 'arn:aws:states:::s3:getObject',
        ReaderConfig: { InputType: 'JSONL' },
        Arguments: { Bucket: 'b', Key: 'items.jsonl' },
      },
      ItemProcessor: {
        ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'EXPRESS' },
        StartAt: 'P',
        States: { P: { Type: 'Pass', End: true } },
      },
      ResultWriter: { Resource: 'arn:aws:states:::s3:putObject', Arguments: { Bucket: 'b', Prefix: 'out' } },
      End: true,
    };
    const { result } = await command([
      'run',
      '--definition',
      file('m.json', machine({ M: map })),
      '--objects',
      objects,
      '--json',
    ]);
    const { Key } = (result.output as { ResultWriterDetails: { Key: string } }).ResultWriterDetails;
    const manifest = JSON.parse(readFileSync(join(objects, 'b', Key), 'utf8')) as {
      ResultFiles: { SUCCEEDED: { Key: string }[] };
    };
    expect(
      JSON.parse(readFileSync(join(objects, 'b', manifest.ResultFiles.SUCCEEDED[0]!.Key), 'utf8')),
    ).toHaveLength(2);
    const get = (Bucket: string, Key: string) =>
      machine({
        S: {
          Type: 'Task',
          Resource: 'arn:aws:states:::aws-sdk:s3:getObject',
          Arguments: { Bucket, Key },
          End: true,
        },
      });
    for (const [bucket, error] of [
      ['none', 'S3.NoSuchBucketException'],
      ['b', 'S3.NoSuchKeyException'],
    ] as const) {
      const absent = await command([
        'run',
        '--definition',
        file('s3.json', get(bucket, 'none')),
        '--objects',
        objects,
        '--json',
      ]);
      expect(absent.result.error).toBe(error);
    }
  });

  it('stopped from outside, it prints ABORTED', async () => {
    const definition = file('wait.json', machine({ W: { Type: 'Wait', Seconds: 3600, End: true } }));
    const { code, result } = await command(
      ['run', '--definition', definition, '--json'],
      '',
      AbortSignal.timeout(100),
    );
    expect(code).toBe(1);
    expect(result.status).toBe('ABORTED');
    expect(result.events.at(-1)).toMatchObject({ type: 'ExecutionAborted' });
  });

  it('as a process of its own: exit codes, and Ctrl-C stops it', async () => {
    const main = resolve(import.meta.dirname, '../../../../cli/main.ts');
    const run = (args: string[]) =>
      new Promise<{ code: number | null; result: RunResult }>((done) => {
        const child = spawn(process.execPath, [main, 'states', 'run', ...args, '--json'], {
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        let text = '';
        child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
        // The module's setup prints once the run is under way.
        child.stderr.once('data', () => child.kill('SIGINT'));
        child.once('close', (code) => done({ code, result: JSON.parse(text) as RunResult }));
      });
    const setup = file('setup.mjs', "export const setup = () => console.log('under way');");
    const waiting = file('w.json', machine({ W: { Type: 'Wait', Seconds: 3600, End: true } }));
    const [stopped, ended] = await Promise.all([
      run(['--definition', waiting, '--tasks', setup]),
      run(['--definition', file('e.json', P({ a: 1 }))]),
    ]);
    expect([ended.code, ended.result.output]).toEqual([0, { a: 1 }]);
    expect([stopped.code, stopped.result.status]).toEqual([1, 'ABORTED']);
  });
});

describe('agentmill states validate', () => {
  it('prints the result and exits 0 or 2', async () => {
    const good = await command(['validate', file('good.json', P(1))]);
    expect([good.code, good.result]).toEqual([0, { result: 'OK', diagnostics: [] }]);
    const bad = await command(['validate', '-'], JSON.stringify(P('{% 1')));
    expect(bad.code).toBe(2);
    expect(bad.result).toMatchObject({ result: 'FAIL', diagnostics: [{ location: '/States/S/Output' }] });
    expect((await command(['validate', file('text.json', 'not json')])).code).toBe(2);
  });
});
