import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { SynthesisInputSchema } from '#functions/dataset-synthesis/records.ts';
import { isError } from '#shared/task/errors.ts';
import { jobStore } from '#shared/task/job-store.ts';
import { bridge, jsonl, refuses, scripted } from './bridges.ts';
import { builtinAnswer, openMachine, type Machine } from './machine.ts';

let machine: Machine | undefined;
afterEach(async () => {
  await machine?.close();
  machine = undefined;
});

const KEY = 'ingest/dataset-synthesis/bridges.jsonl';
const bridges = (count: number): string => jsonl(Array.from({ length: count }, (_, n) => bridge(n)));
const ids = (): string[] => machine!.calls.map(({ id }) => id);
const exists = async (key: string): Promise<boolean> =>
  machine!.runtime.artifacts.head(key).then(
    () => true,
    (error: unknown) => {
      if (!isError(error, 'NotFound')) throw error;
      return false;
    },
  );

describe('a job', () => {
  test('[dataset-synthesis 10] fewShot.count 7 is refused before any call, naming the field', async () => {
    machine = await openMachine(scripted);
    await machine.runtime.artifacts.put(KEY, bridges(2));
    const done = await machine.run({ sources: [{ uri: KEY }], fewShot: { count: 7 } });
    expect(done.job).toMatchObject({
      status: 'FAILED',
      error: { type: 'urn:agentmill:problem:invalid-input' },
    });
    expect(JSON.stringify(done.job.error)).toContain('fewShot');
    expect(machine.calls).toHaveLength(0);
    expect(SynthesisInputSchema.safeParse({ sources: [{ uri: 'x' }], surplus: 1 }).success).toBe(false);
  });

  test('[dataset-synthesis 10] an unknown model fails before any call', async () => {
    machine = await openMachine(scripted);
    await machine.runtime.artifacts.put(KEY, bridges(2));
    const done = await machine.run({ sources: [{ uri: KEY }], models: { check: 'gpt-17' } });
    expect(done.job.status).toBe('FAILED');
    expect(done.job.error!.detail).toContain('gpt-17');
    expect(machine.calls).toHaveLength(0);
  });

  test('[dataset-synthesis 10] one seed makes byte-identical requests, another one other examples', async () => {
    const requests = async (seed: number): Promise<string> => {
      machine = await openMachine(scripted);
      await machine.runtime.artifacts.put(KEY, bridges(4));
      await machine.run({ sources: [{ uri: KEY }], seed });
      const text = JSON.stringify(
        machine.calls.map(({ request }) => request).sort((a, b) => (a.id < b.id ? -1 : 1)),
      );
      await machine.close();
      return text;
    };
    const first = await requests(7);
    expect(await requests(7)).toBe(first);
    expect(await requests(8)).not.toBe(first);
    machine = undefined;
  });

  test('[dataset-synthesis 11] [dataset-synthesis 28] cancelled or crashed anywhere and resumed: nothing is asked twice, data is byte-identical', async () => {
    machine = await openMachine(scripted);
    await machine.runtime.artifacts.put(KEY, bridges(6));
    const whole = await machine.run({
      sources: [{ uri: KEY }],
      batch: { documentsPerShard: 2, pairsPerShard: 10 },
    });
    expect(whole.job.status).toBe('SUCCEEDED');
    const asked = ids().sort();
    await machine.close();

    const tasks = [
      'validate',
      'plan-sources',
      'index-segment',
      'select-documents',
      'plan',
      'apply',
      'plan-pairs',
      'curate',
      'export-part',
    ];
    for (const task of tasks) {
      let crashed = false;
      const cancels = task === 'apply';
      machine = await openMachine(scripted, async (name, event, invoke) => {
        const output = await invoke();
        if (name === task && !crashed) {
          crashed = true;
          if (cancels) {
            await jobStore(machine!.runtime).requestCancel((event as { jobId: string }).jobId);
          } else throw Object.assign(new Error('killed'), { name: 'Defect' });
        }
        return output;
      });
      await machine.runtime.artifacts.put(KEY, bridges(6));
      const broken = await machine.run({
        sources: [{ uri: KEY }],
        batch: { documentsPerShard: 2, pairsPerShard: 10 },
      });
      expect([task, broken.job.status]).toEqual([task, cancels ? 'CANCELLED' : 'FAILED']);
      expect(await exists(`jobs/${broken.jobId}/output/_SUCCESS`)).toBe(false);
      const resumed = await machine.run(
        { sources: [{ uri: KEY }], batch: { documentsPerShard: 2, pairsPerShard: 10 } },
        { jobId: broken.jobId },
      );
      expect([task, resumed.job.status]).toEqual([task, 'SUCCEEDED']);
      expect(resumed.hashes).toEqual(whole.hashes);
      expect(ids().sort()).toEqual(asked);
      expect(await exists(`jobs/${broken.jobId}/output/_SUCCESS`)).toBe(true);
      await machine.close();
    }
    machine = undefined;
  });

  test('[dataset-synthesis 12] every task invoked twice makes the same data and counts', async () => {
    const once = await openMachine(scripted);
    await once.runtime.artifacts.put(KEY, bridges(5));
    const first = await once.run({ sources: [{ uri: KEY }] });
    await once.close();
    machine = await openMachine(scripted, async (name, _event, invoke) => {
      if (name !== 'infer') await invoke();
      return invoke();
    });
    await machine.runtime.artifacts.put(KEY, bridges(5));
    const second = await machine.run({ sources: [{ uri: KEY }] });
    expect(second.hashes).toEqual(first.hashes);
    expect(second.manifest.content).toEqual(first.manifest.content);
    expect(second.job.yields).toEqual(first.job.yields);
    expect(second.job.progress).toEqual(first.job.progress);
  });

  test('[dataset-synthesis 13] a budget that ends leaves a partial dataset; resumed, only the rest is asked', async () => {
    let allowed = 9;
    machine = await openMachine((role, request) => (allowed-- > 0 ? scripted(role, request) : 'stop'));
    await machine.runtime.artifacts.put(KEY, bridges(6));
    const partial = await machine.run({ sources: [{ uri: KEY }] });
    expect(partial.job.status).toBe('BUDGET_EXHAUSTED');
    expect(partial.job.yields.pending).toBeGreaterThan(0);
    expect(await exists(`jobs/${partial.jobId}/output/_PARTIAL`)).toBe(true);
    expect(machine.calls).toHaveLength(9);

    allowed = 1000;
    const whole = await machine.run({ sources: [{ uri: KEY }] }, { jobId: partial.jobId });
    expect(whole.job.status).toBe('SUCCEEDED');
    expect(whole.records).toHaveLength(12);
    expect(new Set(ids()).size).toBe(ids().length);
    expect(machine.calls).toHaveLength(6 + 6 + 12 + 12);
    expect(await exists(`jobs/${partial.jobId}/output/_SUCCESS`)).toBe(true);
    expect(await exists(`jobs/${partial.jobId}/output/_PARTIAL`)).toBe(false);
  });

  test('[dataset-synthesis 18] shard sizes and concurrency have no influence on the data', async () => {
    machine = await openMachine(scripted);
    await machine.runtime.artifacts.put(KEY, bridges(60));
    const hashes = [];
    for (const [documentsPerShard, maxConcurrency] of [
      [7, 1],
      [50, 50],
      [7, 50],
    ]) {
      const done = await machine.run({
        sources: [{ uri: KEY }],
        batch: { documentsPerShard: documentsPerShard!, maxConcurrency: maxConcurrency! },
      });
      expect(done.records).toHaveLength(120);
      hashes.push(done.hashes);
    }
    expect(hashes[1]).toEqual(hashes[0]);
    expect(hashes[2]).toEqual(hashes[0]);
  });

  test('[dataset-synthesis 21] 10,000 documents: no task is given or gives more than 32 KiB', async () => {
    let largest = 0;
    machine = await openMachine(
      () => refuses,
      async (_name, event, invoke) => {
        const output = await invoke();
        largest = Math.max(largest, JSON.stringify(event).length, JSON.stringify(output ?? null).length);
        return output;
      },
    );
    const records = Array.from({ length: 10_000 }, (_, n) => ({
      text: `Record ${n}: ${'stone bridge '.repeat(30)}`,
    }));
    await machine.runtime.artifacts.put(KEY, jsonl(records));
    // Sampling leaves every shard with an explicit list of lines: the largest payload there is.
    const done = await machine.run({
      sources: [{ uri: KEY }],
      limits: { maxDocuments: 4000 },
      batch: { documentsPerShard: 500 },
    });
    expect(done.job.yields).toMatchObject({ documents: 10_000, selected: 4000, rejected: 4000 });
    expect(largest).toBeLessThanOrEqual(32 * 1024);
    expect(largest).toBeGreaterThan(1000);
  });

  test('[dataset-synthesis 22] 4 % provider failures are tolerated, 6 % are not; a resume asks for exactly those', async () => {
    let failing = 4;
    let asked = 0;
    machine = await openMachine((role, request) => {
      if (role !== 'filter') return scripted(role, request);
      return asked++ % 16 === 0 && failing-- > 0 ? { error: 'UNAVAILABLE' } : refuses;
    });
    await machine.runtime.artifacts.put(KEY, bridges(100));
    const tolerated = await machine.run({ sources: [{ uri: KEY }] });
    expect(tolerated.job.status).toBe('SUCCEEDED_WITH_ERRORS');
    expect(tolerated.manifest.content.rejectsByCode).toEqual({ FILTER_REJECTED: 96, PROVIDER_ERROR: 4 });

    failing = 6;
    asked = 0;
    const failed = await machine.run({ sources: [{ uri: KEY }], seed: 1 });
    expect(failed.job).toMatchObject({
      status: 'FAILED',
      error: { type: 'urn:agentmill:problem:tolerance-exceeded' },
    });
    const before = machine.calls.length;
    const resumed = await machine.run({ sources: [{ uri: KEY }], seed: 1 }, { jobId: failed.jobId });
    expect(resumed.job.status).toBe('SUCCEEDED');
    expect(machine.calls.length - before).toBe(6);
  });

  test('[dataset-synthesis 26] an estimate asks nothing; what a preview asked, create need not ask', async () => {
    machine = await openMachine(scripted);
    await machine.runtime.artifacts.put(KEY, bridges(20));
    const estimate = await machine.run({ sources: [{ uri: KEY }], mode: 'estimate' });
    expect(machine.calls).toHaveLength(0);
    expect(estimate.job.status).toBe('SUCCEEDED');
    const { body } = await machine.runtime.artifacts.get(`jobs/${estimate.jobId}/output/estimate.json`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) chunks.push(chunk);
    const { expected, worst } = JSON.parse(Buffer.concat(chunks).toString()) as Record<
      'expected' | 'worst',
      { calls: number }
    >;
    expect(worst.calls).toBe(20 * 8);
    expect(expected.calls).toBeLessThan(worst.calls);

    const preview = await machine.run({ sources: [{ uri: KEY }], mode: 'preview', previewDocuments: 5 });
    expect(machine.calls).toHaveLength(5 * 6);
    expect(await exists(`jobs/${preview.jobId}/output/preview.jsonl`)).toBe(true);
    const before = ids();
    const created = await machine.run({ sources: [{ uri: KEY }] });
    expect(created.records).toHaveLength(40);
    expect(machine.calls).toHaveLength(20 * 6);
    expect(
      ids()
        .slice(before.length)
        .filter((id) => before.includes(id)),
    ).toEqual([]);
  });

  const examples = join(import.meta.dirname, '../../../examples/dataset-synthesis');
  test.skipIf(!existsSync(examples) || readdirSync(examples).length === 0)(
    '[dataset-synthesis 27] the example needs no model: every record is labelled builtin',
    async () => {
      machine = await openMachine((_, request) => builtinAnswer(request));
      const input = { sources: [] as { uri: string; defaults: object }[] };
      for (const name of readdirSync(examples).filter(
        (file) => file.endsWith('.jsonl') && file !== 'quiz.jsonl',
      )) {
        await machine.runtime.artifacts.put(
          `examples/dataset-synthesis/${name}`,
          readFileSync(join(examples, name)),
        );
        input.sources.push({ uri: `examples/dataset-synthesis/${name}`, defaults: { licence: 'CC0-1.0' } });
      }
      const done = await machine.run(input as never);
      expect(done.job.status).toBe('SUCCEEDED');
      expect(done.records.length).toBeGreaterThanOrEqual(done.job.yields.qualified!);
      expect(new Set(done.records.map(({ origin }) => origin))).toEqual(new Set(['builtin']));
    },
  );
});
