import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RecordKey, Records } from '#shared/storage/ports.ts';
import { newJobId } from '#shared/determinism/ids.ts';
import { jobStore, type JobStore } from '#shared/task/job-store.ts';
import { newJob } from '#test/support/jobs.ts';
import { embeddedRuntime, manualClock, type TestRuntime } from '#test/support/runtime.ts';

let host: TestRuntime;
let store: JobStore;
const clock = manualClock();
beforeEach(async () => {
  host = await embeddedRuntime({ clock });
  store = jobStore(host.runtime);
});
afterEach(() => host.close());

const conflict = expect.objectContaining({ name: 'Conflict' });

describe('records of jobs', () => {
  test('come back as they were written, with deep inputs', async () => {
    let input: never = 1 as never;
    for (let depth = 0; depth < 30; depth++) input = { a: [input] } as never;
    const job = newJob(newJobId('sample'), { input, budget: { microUsd: 5 }, model: 'builtin' });
    await store.create(job, { bodyHash: 'h', ttl: 4_000_000_000 });
    expect(await store.get(job.jobId)).toEqual({ job, version: 1, bodyHash: 'h', ttl: 4_000_000_000 });
    await expect(store.create(job)).rejects.toEqual(conflict);
    expect(await store.get(newJobId('sample'))).toBeUndefined();
    await expect(store.require('sample.x')).rejects.toEqual(expect.objectContaining({ name: 'NotFound' }));
    await expect(store.update(newJobId('sample'), { model: 'x' })).rejects.toEqual(
      expect.objectContaining({ name: 'NotFound' }),
    );
  });

  test('move forward once: an ended job stays ended, a stale attempt changes nothing', async () => {
    const { jobId } = (await store.create(newJob(newJobId('sample')))).job;
    await store.setStatus(jobId, { status: 'RUNNING', attempt: 1 });
    await expect(store.setStatus(jobId, { status: 'FAILED', attempt: 2 })).rejects.toEqual(conflict);
    clock.advance(1000);
    const ended = await store.setStatus(jobId, { status: 'SUCCEEDED', attempt: 1, closedBy: 'finish' });
    expect(ended).toMatchObject({ job: { status: 'SUCCEEDED' }, closedBy: 'finish' });
    expect(Date.parse(ended.job.endedAt!)).toBe(clock.now());
    await expect(store.setStatus(jobId, { status: 'FAILED' })).rejects.toEqual(conflict);
    await expect(store.requestCancel(jobId)).rejects.toEqual(conflict);
  });

  test('a resumed job is not stopped by the flag that another process remembers of the attempt before', async () => {
    const { jobId } = (await store.create(newJob(newJobId('sample')))).job;
    // Another process shares the records, not what this one remembers.
    const { records, clock: time, ids } = host.runtime;
    const its = { get: (key: RecordKey) => records.get(key) } as Records;
    const other = jobStore({ records: its, clock: time, ids });
    await store.requestCancel(jobId);
    expect(await other.cancelRequested(jobId)).toBe(true);
    const ended = await store.setStatus(jobId, { status: 'CANCELLED', closedBy: 'finish' });
    await store.reopen(ended, { attempt: 2 });
    expect(await other.cancelRequested(jobId)).toBe(false);
    // What was no flag may be five seconds old.
    await store.requestCancel(jobId);
    expect(await other.cancelRequested(jobId)).toBe(false);
    clock.advance(5000);
    expect(await other.cancelRequested(jobId)).toBe(true);
  });

  test('are reopened without end, error or flag, by one of two', async () => {
    const { jobId } = (await store.create(newJob(newJobId('sample')))).job;
    await store.requestCancel(jobId);
    const ended = await store.setStatus(jobId, { status: 'CANCELLED', closedBy: 'event' });
    const both = await Promise.allSettled([
      store.reopen(ended, { attempt: 2 }),
      store.reopen(ended, { attempt: 2 }),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const stored = (await store.get(jobId))!;
    expect(stored.job).toMatchObject({ status: 'QUEUED', attempt: 2 });
    expect(stored.job.endedAt).toBeUndefined();
    expect(stored.cancelRequestedAt).toBeUndefined();
    expect(await store.cancelRequested(jobId)).toBe(false);
  });

  test('are marked active until they end', async () => {
    const { jobId } = (await store.create(newJob(newJobId('sample'), { owner: 'ann' }))).job;
    expect(await store.active('sample')).toMatchObject([{ jobId, owner: 'ann' }]);
    expect(await store.active('sample', 'ann')).toHaveLength(1);
    expect(await store.active('sample', 'an')).toHaveLength(0);
    await store.setStatus(jobId, { status: 'FAILED' });
    expect(await store.active('sample')).toEqual([]);
  });
});

describe('progress', () => {
  test('counts a shard once, however often and by whomever it is told', async () => {
    const { jobId } = (await store.create(newJob(newJobId('sample'), { status: 'RUNNING' }))).job;
    await store.stage(jobId, 'Analyse', 100);
    await store.stage(jobId, 'Analyse', 100);
    await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        jobStore(host.runtime).advance(jobId, 'Analyse', String(index % 3), 10),
      ),
    );
    expect((await store.get(jobId))!.job.progress).toEqual({ stage: 'Analyse', done: 30, total: 100 });
    await store.advance(jobId, 'Analyse', '0', 25);
    expect((await store.get(jobId))!.job.progress.done).toBe(45);
    await store.stage(jobId, 'AnalyseMore', 7);
    await store.advance(jobId, 'AnalyseMore', 'a', 9);
    expect((await store.get(jobId))!.job.progress).toEqual({ stage: 'AnalyseMore', done: 7, total: 7 });
    const stages = (await store.events(jobId)).items.map(({ stage }) => stage);
    expect(stages).toEqual(['Analyse', 'AnalyseMore']);
    await store.setStatus(jobId, { status: 'SUCCEEDED' });
    expect((await store.get(jobId))!.job.progress).toEqual({ stage: 'AnalyseMore', done: 7, total: 7 });
  });

  test('events are in the order of time and paged; oversize data is left out', async () => {
    const { jobId } = (await store.create(newJob(newJobId('sample')))).job;
    for (let index = 0; index < 7; index++) {
      await store.event(jobId, { level: 'info', message: `m${index}`, data: { index } });
      clock.advance(1);
    }
    await store.event(jobId, { level: 'warn', message: 'big', data: 'x'.repeat(10_000) });
    const first = await store.events(jobId, { limit: 5 });
    const second = await store.events(jobId, { limit: 5, after: first.next! });
    expect([...first.items, ...second.items].map(({ message }) => message)).toEqual([
      'm0',
      'm1',
      'm2',
      'm3',
      'm4',
      'm5',
      'm6',
      'big',
    ]);
    expect(first.items[0]).toMatchObject({ level: 'info', data: { index: 0 } });
    expect(second.items.at(-1)!.data).toBeUndefined();
    expect(await store.events(jobId, { after: second.next! })).toEqual({ items: [] });
  });
});

describe('lists', () => {
  const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
  const add = (second: number, owner: string, workflow = 'sample', status: 'QUEUED' | 'FAILED' = 'QUEUED') =>
    store.create(newJob(newJobId(workflow), { owner, status, createdAt: at(second) }));

  test('are newest first, by owner, by workflows, filtered by status and since', async () => {
    await add(1, 'ann');
    await add(2, 'ben');
    await add(3, 'ann', 'other', 'FAILED');
    await add(4, 'ann');
    const times = async (query: Parameters<JobStore['list']>[0]) =>
      (await store.list(query)).items.map(({ createdAt }) => new Date(createdAt).getUTCSeconds());
    expect(await times({ owner: 'ann' })).toEqual([4, 3, 1]);
    expect(await times({ workflows: ['sample', 'other'] })).toEqual([4, 3, 2, 1]);
    expect(await times({ owner: 'ann', workflows: ['other'] })).toEqual([3]);
    expect(await times({ workflows: ['sample', 'other'], status: 'FAILED' })).toEqual([3]);
    expect(await times({ owner: 'ann', since: at(3) })).toEqual([4, 3]);
    expect(await times({ owner: 'nobody' })).toEqual([]);
  });

  test('[infra-api-cli 20] paging 250 jobs while jobs are added returns each once', async () => {
    const before = new Set<string>();
    for (let index = 0; index < 250; index++) {
      // Several in the same instant, too.
      before.add((await add(Math.floor(index / 7), 'ann', index % 2 ? 'sample' : 'other')).job.jobId);
    }
    for (const query of [{ owner: 'ann' }, { workflows: ['sample', 'other'] }]) {
      const seen: string[] = [];
      let after: string | undefined;
      do {
        const page = await store.list({ ...query, limit: 17, ...(after === undefined ? {} : { after }) });
        seen.push(...page.items.map(({ jobId }) => jobId));
        after = page.next;
        await add(50, 'ann');
      } while (after !== undefined);
      expect(seen.filter((jobId) => before.has(jobId)).sort()).toEqual([...before].sort());
      expect(new Set(seen).size).toBe(seen.length);
    }
  });

  test('a status that is rare is found over several pages', async () => {
    const rare = await add(0, 'ann', 'sample', 'FAILED');
    for (let index = 1; index <= 1_050; index++) await add(Math.min(59, index), 'ann');
    const first = await store.list({ owner: 'ann', status: 'FAILED' });
    expect(first.items).toEqual([]);
    const second = await store.list({ owner: 'ann', status: 'FAILED', after: first.next! });
    expect(second.items).toEqual([rare.job]);
    expect(second.next).toBeUndefined();
  });
});
