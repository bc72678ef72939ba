import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from '#shared/storage/ports.ts';
import {
  collectResults,
  groupOf,
  MapRunFailure,
  writeResults,
  type ChildResult,
  type WriterOptions,
} from '#local/states/maprun/index.ts';
import { BUCKET, openBuckets, type Buckets } from './storage.ts';

let buckets: Buckets;
beforeAll(async () => {
  buckets = await openBuckets();
});
afterAll(() => buckets.close());

const child = (n: number, more: Partial<ChildResult> = {}): ChildResult => ({
  status: 'SUCCEEDED',
  executionArn: `arn:aws:states:us-east-1:000000000000:execution:m/l:${n}`,
  name: String(n),
  stateMachineArn: 'arn:aws:states:us-east-1:000000000000:stateMachine:m/l',
  input: { n },
  output: [n, n + 1],
  started: Date.UTC(2030, 0, 1),
  stopped: Date.UTC(2030, 0, 1, 0, 0, 1),
  ...more,
});
const failed = (n: number): ChildResult => {
  const { output: _output, ...rest } = child(n, { status: 'FAILED', error: 'Busy', cause: 'c' });
  return rest;
};
const pending = (n: number): ChildResult => {
  const { output: _o, started: _s, stopped: _t, ...rest } = child(n, { status: 'PENDING' });
  return rest;
};

const RUN = 'arn:aws:states:us-east-1:000000000000:mapRun:m/l:run-1';
function write(children: ChildResult[], more: Partial<WriterOptions> = {}) {
  return writeResults({
    arguments: { Bucket: BUCKET, Prefix: 'out' },
    transformation: 'NONE',
    outputType: 'JSON',
    mapRunArn: RUN,
    runId: 'run-1',
    artifactsOf: buckets.artifactsOf,
    children: (group) => children.filter(({ status }) => groupOf(status) === group),
    ...more,
  });
}
const json = async (key: string): Promise<Json> => JSON.parse(await buckets.text(key)) as Json;

describe('writeResults', () => {
  it('writes a file a kind and the manifest (files of [embedded-platform 31])', async () => {
    const result = await write([child(1), child(2), child(3), failed(4)]);
    expect(result).toEqual({
      MapRunArn: RUN,
      ResultWriterDetails: { Bucket: BUCKET, Key: 'out/run-1/manifest.json' },
    });
    const succeeded = await buckets.text('out/run-1/SUCCEEDED_0.json');
    const failures = await buckets.text('out/run-1/FAILED_0.json');
    expect(JSON.parse(succeeded)).toHaveLength(3);
    expect(JSON.parse(failures)).toHaveLength(1);
    expect(await json('out/run-1/manifest.json')).toEqual({
      DestinationBucket: BUCKET,
      MapRunArn: RUN,
      ResultFiles: {
        FAILED: [{ Key: 'out/run-1/FAILED_0.json', Size: Buffer.byteLength(failures) }],
        PENDING: [],
        SUCCEEDED: [{ Key: 'out/run-1/SUCCEEDED_0.json', Size: Buffer.byteLength(succeeded) }],
      },
    });
  });

  it("records an execution's metadata with input and output as text", async () => {
    await write([child(1), failed(2), pending(3)], { arguments: { Bucket: BUCKET, Prefix: 'none/' } });
    expect(await json('none/run-1/SUCCEEDED_0.json')).toEqual([
      {
        ExecutionArn: 'arn:aws:states:us-east-1:000000000000:execution:m/l:1',
        Input: '{"n":1}',
        InputDetails: { Included: true },
        Name: '1',
        Output: '[1,2]',
        OutputDetails: { Included: true },
        StartDate: '2030-01-01T00:00:00.000Z',
        StateMachineArn: 'arn:aws:states:us-east-1:000000000000:stateMachine:m/l',
        Status: 'SUCCEEDED',
        StopDate: '2030-01-01T00:00:01.000Z',
      },
    ]);
    expect((await json('none/run-1/FAILED_0.json')) as Json[]).toMatchObject([
      { Error: 'Busy', Cause: 'c', Status: 'FAILED' },
    ]);
    const [record] = (await json('none/run-1/PENDING_0.json')) as object[];
    expect(record).toMatchObject({ Status: 'PENDING', Input: '{"n":3}' });
    expect(record).not.toHaveProperty('StartDate');
    expect(record).not.toHaveProperty('Output');
  });

  it('writes outputs alone, or joined, and failures always whole', async () => {
    const children = [child(1), child(2, { output: 'x' }), failed(3)];
    await write(children, { transformation: 'COMPACT', arguments: { Bucket: BUCKET, Prefix: 'compact' } });
    expect(await json('compact/run-1/SUCCEEDED_0.json')).toEqual([[1, 2], 'x']);
    await write(children, { transformation: 'FLATTEN', outputType: 'JSONL', arguments: { Bucket: BUCKET } });
    expect(await buckets.text('run-1/SUCCEEDED_0.jsonl')).toBe('1\n2\n"x"\n');
    expect(JSON.parse(await buckets.text('run-1/FAILED_0.jsonl'))).toMatchObject({
      Status: 'FAILED',
      Input: '{"n":3}',
    });
  });

  it('begins another file where one is full, and puts at least one record into each', async () => {
    const children = Array.from({ length: 5 }, (_, n) => child(n, { output: 'x'.repeat(20) }));
    await write(children, {
      transformation: 'COMPACT',
      arguments: { Bucket: BUCKET, Prefix: 'split' },
      maxFileBytes: 50,
    });
    const manifest = (await json('split/run-1/manifest.json')) as {
      ResultFiles: { SUCCEEDED: { Key: string; Size: number }[] };
    };
    const files = manifest.ResultFiles.SUCCEEDED;
    expect(files.map(({ Key }) => Key)).toEqual([0, 1, 2].map((n) => `split/run-1/SUCCEEDED_${n}.json`));
    const bodies = await Promise.all(files.map(({ Key }) => json(Key)));
    expect(bodies.flat()).toHaveLength(5);
    for (const { Size } of files) expect(Size).toBeLessThanOrEqual(50);
    await write(children, {
      transformation: 'COMPACT',
      arguments: { Bucket: BUCKET, Prefix: 'tiny' },
      maxFileBytes: 1,
    });
    expect(((await json('tiny/run-1/manifest.json')) as typeof manifest).ResultFiles.SUCCEEDED).toHaveLength(
      5,
    );
  });

  it('streams: 20,000 children are asked for one after the other', async () => {
    let live = 0;
    let most = 0;
    async function* many(): AsyncGenerator<ChildResult> {
      for (let n = 0; n < 20_000; n++) {
        most = Math.max(most, ++live);
        yield child(n, { output: { n } });
        live--;
      }
    }
    await write([], {
      arguments: { Bucket: BUCKET, Prefix: 'many' },
      transformation: 'COMPACT',
      outputType: 'JSONL',
      children: (group) => (group === 'SUCCEEDED' ? many() : []),
    });
    expect(most).toBe(1);
    expect((await buckets.text('many/run-1/SUCCEEDED_0.jsonl')).split('\n')).toHaveLength(20_001);
  });

  it.each<Json>([
    null,
    'x',
    {},
    { Bucket: 1 },
    { Bucket: BUCKET, Prefix: 1 },
    { Bucket: BUCKET, Prefix: '../up' },
  ])('fails for the arguments %j', async (evaluated) => {
    await expect(write([child(1)], { arguments: evaluated })).rejects.toMatchObject({
      name: 'MapRunFailure',
      error: 'States.ResultWriterFailed',
    });
  });
});

describe('collectResults', () => {
  it('gives outputs in item order, failures as records', async () => {
    expect(await collectResults([child(1), failed(2), child(3, { output: null })])).toMatchObject([
      [1, 2],
      { Status: 'FAILED', Error: 'Busy' },
      null,
    ]);
  });

  it('formats without exporting', async () => {
    expect(await collectResults([child(1), child(5)], 'FLATTEN')).toEqual([1, 2, 5, 6]);
    expect(await collectResults([child(1), child(5)], 'COMPACT', 'JSONL')).toBe('[1,2]\n[5,6]');
    expect(await collectResults([child(1)], 'NONE')).toMatchObject([{ Output: '[1,2]' }]);
  });

  it('stops as soon as the result is too large', async () => {
    let asked = 0;
    function* large(): Generator<ChildResult> {
      for (; asked < 1_000; asked++) yield child(asked, { output: 'x'.repeat(10_000) });
    }
    const error = await collectResults(large()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(MapRunFailure);
    expect(error).toMatchObject({ error: 'States.DataLimitExceeded' });
    expect(asked).toBe(26);
  });
});
