import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { newJobId } from '#shared/determinism/ids.ts';
import { exportLedger, reconcile } from '#shared/models/ledger.ts';
import { readJsonl, writeJsonl } from '#shared/storage/jsonl.ts';
import { withRuntime } from '#shared/task/runtime.ts';
import { requestFor } from '#shared/models/role.ts';
import type { InferResult } from '#shared/models/types.ts';
import { handler } from '#functions/inference/infer.ts';
import { filterRole } from '#functions/dataset-synthesis/roles.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

let world: TestRuntime;
afterEach(() => world.close());

const passage = (n: number): string =>
  `Passage ${n}. The river Aven rises at 412 metres in the hills of Marn and flows for 87 kilometres to the sea. `.repeat(
    6,
  );

describe('the infer task', () => {
  it('plays a builtin role over a file of requests, in order, into results and rejects', async () => {
    world = await embeddedRuntime();
    const { runtime } = world;
    const jobId = newJobId('dataset-synthesis');
    const inputs = Array.from({ length: 120 }, (_, n) =>
      requestFor(filterRole, { docId: `doc${n}`, text: passage(n) } as never, {
        id: `doc${n}:filter`,
        model: 'builtin',
      }),
    );
    const requests = await writeJsonl(runtime.artifacts, `jobs/${jobId}/filter/0.requests.jsonl`, inputs);
    const event = { jobId, stage: 'filter', requests, prefix: `jobs/${jobId}/filter/0`, mode: 'sync' };
    const run = () => withRuntime(runtime, () => handler(event, {}));
    const output = z.looseObject({ done: z.boolean() }).parse(await run());
    expect(output).toMatchObject({ done: true, costMicros: 0, counts: { total: 120, ok: 120, cached: 0 } });
    const results: InferResult[] = [];
    for await (const { value } of readJsonl(runtime.artifacts, output.results as never))
      results.push(value as InferResult);
    expect(results.map((result) => result.id)).toEqual(inputs.map((input) => input.id));
    expect(results[0]).toMatchObject({ status: 'ok', provider: 'builtin', model: 'builtin' });
    // Delivered again: the same answer, nothing done twice.
    expect(await run()).toEqual(output);
    const totals = await reconcile(runtime, jobId);
    expect(totals).toMatchObject({ calls: 120, cacheHits: 0, microUsd: 0 });
    expect((await exportLedger(runtime, jobId)).count).toBe(120);
  });
});
