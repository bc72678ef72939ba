import { describe, expect, it } from 'vitest';
import type { Json } from '#shared/storage/ports.ts';
import { machine, named, once, ran, task, world, type Fields } from './support.ts';

const pass = (value: Json): Fields => ({
  StartAt: 'V',
  States: { V: { Type: 'Pass', Output: value, End: true } },
});
const iteration = (state: Fields): Fields => ({ StartAt: 'I', States: { I: { End: true, ...state } } });
const distributed = (fields: Fields, state: Fields = { Type: 'Pass' }): Fields => ({
  Type: 'Map',
  ItemProcessor: { ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' }, ...iteration(state) },
  End: true,
  ...fields,
});
const reader = (key: string, config: Fields): Fields => ({
  ItemReader: {
    Resource: 'arn:aws:states:::s3:getObject',
    ReaderConfig: config,
    Arguments: { Bucket: 'bucket', Key: key },
  },
});
const X: Fields = { X: { Type: 'Succeed' } };
const failsOn = (value: Json) => ({
  functions: {
    f: (event: Json) => {
      if (event === value) throw named('Bad');
      return event;
    },
  },
});

describe('Parallel and Map in executions', () => {
  it('[embedded-platform 23] the results of branches, in order', async () => {
    const state = {
      Type: 'Parallel',
      Branches: [pass(1), pass(2)],
      Output: '{% $sum($states.result) %}',
      End: true,
    };
    expect((await once(machine({ S: state }))).output).toBe(3);
  });

  it('[embedded-platform 24] a failed branch stops its sibling without waiting', async () => {
    const failing = { StartAt: 'F', States: { F: { Type: 'Fail', Error: 'E1', Cause: 'c' } } };
    const waiting = { StartAt: 'W', States: { W: { Type: 'Wait', Seconds: 3600, End: true } } };
    const state = {
      Type: 'Parallel',
      Branches: [failing, waiting],
      Catch: [{ ErrorEquals: ['States.BranchFailed'], Output: '{% $states.errorOutput %}', Next: 'X' }],
      End: true,
    };
    const run = await once(machine({ S: state, ...X }));
    expect(run.output).toEqual({ Error: 'E1', Cause: 'c' });
    expect(run.types).toContain('WaitStateAborted');
    expect(run.events.at(-1)!.timestamp).toBe(run.started);
  });

  it('[embedded-platform 26] iterations read the variables around them', async () => {
    const run = await once(
      machine({
        A: { Type: 'Pass', Assign: { k: 10 }, Next: 'M' },
        M: {
          Type: 'Map',
          Items: [1, 2],
          ItemProcessor: iteration({ Type: 'Pass', Output: '{% $states.input*$k %}' }),
          End: true,
        },
      }),
    );
    expect(run.output).toEqual([10, 20]);
  });

  it('[embedded-platform 27] ItemSelector sees the item’s index', async () => {
    const run = await once(
      machine({
        M: {
          Type: 'Map',
          Items: ['a', 'b'],
          ItemSelector: { i: '{% $states.context.Map.Item.Index %}' },
          ItemProcessor: iteration({ Type: 'Pass' }),
          End: true,
        },
      }),
    );
    expect(run.output).toEqual([{ i: 0 }, { i: 1 }]);
  });

  it('[embedded-platform 28] a Distributed Map over CSV', async () => {
    const made = world();
    await made.api.objects.put('bucket', 'x.csv', 'id,name\n1,x\n2,"y,z"');
    const run = await made.run(
      machine({ M: distributed(reader('x.csv', { InputType: 'CSV', CSVHeaderLocation: 'FIRST_ROW' })) }),
    );
    expect(run.output).toEqual([
      { id: '1', name: 'x' },
      { id: '2', name: 'y,z' },
    ]);
    await made.close();
  });

  it('[embedded-platform 29] batches of JSONL lines with a BatchInput; MaxItems', async () => {
    const made = world();
    await made.api.objects.put('bucket', 'x.jsonl', '{"n":1}\n{"n":2}\n\n{"n":3}\n');
    const batcher = { ItemBatcher: { MaxItemsPerBatch: 2, BatchInput: { k: 7 } } };
    const run = await made.run(
      machine({ M: distributed({ ...reader('x.jsonl', { InputType: 'JSONL' }), ...batcher }) }),
    );
    expect(run.output).toEqual([
      { BatchInput: { k: 7 }, Items: [{ n: 1 }, { n: 2 }] },
      { BatchInput: { k: 7 }, Items: [{ n: 3 }] },
    ]);
    const one = await made.run(
      machine({ M: distributed(reader('x.jsonl', { InputType: 'JSONL', MaxItems: 1 })) }),
    );
    expect(one.output).toEqual([{ n: 1 }]);
    expect(
      made.engine.listChildren(made.engine.listMapRuns(one.executionArn)[0]!.mapRunArn).items,
    ).toHaveLength(1);
    await made.close();
  });

  const four = (percentage: number, more: Fields = {}): Fields =>
    machine({
      M: distributed(
        { Items: [1, 2, 3, 4], MaxConcurrency: 1, ToleratedFailurePercentage: percentage, ...more },
        task({ Output: '{% $states.result.Payload %}' }),
      ),
    });

  it('[embedded-platform 30] one failure of four is 25 per cent', async () => {
    const run = await once(four(25), {}, failsOn(4));
    expect(run.status).toBe('SUCCEEDED');
    expect((run.output as Json[]).slice(0, 3)).toEqual([1, 2, 3]);
    expect((run.output as Fields[])[3]).toMatchObject({ Status: 'FAILED', Error: 'Bad', Input: '4' });
    const failed = await once(four(20), {}, failsOn(4));
    expect(failed.error).toBe('States.ExceedToleratedFailureThreshold');
  });

  it('[embedded-platform 31] result files and their manifest', async () => {
    const made = world(failsOn(4));
    const writer = {
      Resource: 'arn:aws:states:::s3:putObject',
      Arguments: { Bucket: 'bucket', Prefix: 'out' },
    };
    const run = await made.run(four(25, { ResultWriter: writer }));
    const { MapRunArn, ResultWriterDetails } = run.output as {
      MapRunArn: string;
      ResultWriterDetails: { Bucket: string; Key: string };
    };
    const folder = `out/${MapRunArn.split(':').at(-1)!}`;
    expect(ResultWriterDetails).toEqual({ Bucket: 'bucket', Key: `${folder}/manifest.json` });
    const manifest = JSON.parse((await made.api.objects.get('bucket', ResultWriterDetails.Key))!) as {
      ResultFiles: Record<string, { Key: string; Size: number }[]>;
    };
    expect(manifest).toMatchObject({ DestinationBucket: 'bucket', MapRunArn, ResultFiles: { PENDING: [] } });
    for (const [kind, count] of [
      ['SUCCEEDED', 3],
      ['FAILED', 1],
    ] as const) {
      const [file] = manifest.ResultFiles[kind]!;
      expect(file!.Key).toBe(`${folder}/${kind}_0.json`);
      const text = (await made.api.objects.get('bucket', file!.Key))!;
      expect(JSON.parse(text)).toHaveLength(count);
      expect(file!.Size).toBe(Buffer.byteLength(text));
    }
    await made.close();
  });

  it('a failed run exports what ended and what never started', async () => {
    const made = world(failsOn(2));
    const writer = {
      Resource: 'arn:aws:states:::s3:putObject',
      Arguments: { Bucket: 'bucket', Prefix: 'out' },
    };
    const run = await made.run(four(0, { ResultWriter: writer }));
    expect(run.error).toBe('States.ExceedToleratedFailureThreshold');
    const keys = (await made.api.objects.list('bucket')).map((key) => key.split('/').at(-1));
    expect(keys).toEqual(['FAILED_0.json', 'PENDING_0.json', 'SUCCEEDED_0.json', 'manifest.json']);
    const pending = (await made.api.objects.list('bucket')).find((key) => key.endsWith('PENDING_0.json'))!;
    expect(JSON.parse((await made.api.objects.get('bucket', pending))!)).toMatchObject([
      { Input: '3', Status: 'PENDING' },
      { Input: '4', Status: 'PENDING' },
    ]);
    await made.close();
  });

  it('[embedded-platform 32] an absent object is States.ItemReaderFailed, and can be caught', async () => {
    const map = distributed(reader('none.json', { InputType: 'JSON' }));
    const run = await once(machine({ M: map }));
    expect(run.error).toBe('States.ItemReaderFailed');
    expect(run.types.slice(-3)).toEqual(['MapRunFailed', 'MapStateFailed', 'ExecutionFailed']);
    const Catch = [
      { ErrorEquals: ['States.ItemReaderFailed'], Output: '{% $states.errorOutput.Error %}', Next: 'X' },
    ];
    expect((await once(machine({ M: { ...map, Catch }, ...X }))).output).toBe('States.ItemReaderFailed');
  });

  it('[embedded-platform 37] a redrive reruns the failed child alone', async () => {
    const calls: Json[] = [];
    let mended = false;
    const made = world({
      functions: {
        f: (event) => {
          calls.push(event);
          if (event === 4 && !mended) throw named('Bad');
          return event;
        },
      },
    });
    const run = await made.run(four(20));
    expect(run.status).toBe('FAILED');
    expect(calls).toEqual([1, 2, 3, 4]);
    mended = true;
    await made.engine.redrive(run.executionArn);
    const again = await ran(made.engine, run.executionArn);
    expect(again).toMatchObject({ status: 'SUCCEEDED', output: [1, 2, 3, 4] });
    expect(calls).toEqual([1, 2, 3, 4, 4]);
    expect((await made.engine.describe(run.executionArn)).redriveCount).toBe(1);
    expect(again.types).toEqual(
      expect.arrayContaining(['ExecutionRedriven', 'MapRunRedriven', 'MapRunSucceeded']),
    );
    expect(again.events.map((event) => event.id)).toEqual(again.events.map((_, index) => index + 1));
    await made.close();
  });
});
