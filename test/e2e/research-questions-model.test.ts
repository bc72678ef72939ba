import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createApi } from '#functions/api/create-api.ts';
import { catalog, openPlatform, type Platform } from '#local/platform.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { ledgerRows } from '#shared/models/ledger.ts';
import type { Question } from '#shared/research/types.ts';
import { readJsonl } from '#shared/storage/jsonl.ts';
import { jobStore } from '#shared/task/job-store.ts';
import type { Job } from '#shared/task/jobs.ts';
import { eventClient, type Client } from '#test/support/api.ts';
import { questionsStub, type QuestionsStub, type QuestionsStubOptions } from './questions-stub.ts';
import { researchModels } from './research-stub.ts';

/** research-questions on the whole embedded platform, written and solved by a model behind HTTP. */

const CORPUS = join(import.meta.dirname, '../../examples/research-questions/corpus.jsonl');

let dir: string;
let platform: Platform;
let stub: QuestionsStub;
afterEach(async () => {
  await platform.close();
  await stub.close();
  await rm(dir, { recursive: true, force: true });
});

async function start(options: QuestionsStubOptions = {}): Promise<Client> {
  dir = await mkdtemp(join(tmpdir(), 'agentmill-questions-'));
  stub = await questionsStub(options);
  const models = join(dir, 'models.json');
  await writeFile(models, researchModels(stub.url));
  platform = await openPlatform({ dataDir: join(dir, 'data'), env: { AGENTMILL_MODELS: models } });
  await platform.runtime.artifacts.put('in/corpus.jsonl', await readFile(CORPUS));
  return eventClient(createApi({ catalog }), platform.runtime);
}

const input = {
  corpus: { ref: { key: 'in/corpus.jsonl' }, index: 'lexical', entityNoun: 'river' },
  count: 8,
  oversample: 2,
  reports: 1,
  hops: { min: 1, max: 2 },
  solverRuns: 4,
  closedBookTries: 1,
};

async function rowsOf<T>(key: string): Promise<T[]> {
  const rows: T[] = [];
  for await (const { value } of readJsonl(platform.runtime.artifacts, key)) rows.push(value as T);
  return rows;
}
const output = <T>(job: Job, name: string): Promise<T[]> => rowsOf(`jobs/${job.jobId}/output/${name}`);

/** Answers that a job and its solvers paid for: one row a call. */
async function paidBy(jobIds: readonly string[]): Promise<string[]> {
  const keys: string[] = [];
  for (const jobId of jobIds) {
    for await (const row of ledgerRows(platform.runtime.records, jobId))
      if (row.kind !== 'cache' && row.outcome === 'ok' && row.model === 'stub') keys.push(row.cacheKey);
  }
  return keys;
}

describe('questions by a model', () => {
  it('comes through slow answers, refusals and garbage: what is made is sound, what failed is a reject', async () => {
    await start({
      before({ subject }, nth) {
        // By the request alone, whenever it comes: some get garbage for good, others fail once or are slow.
        const draw = seededRng('questions-faults', subject).next();
        if (draw < 0.2) return { text: 'Certainly! Here is {"question": what' };
        if (nth > 0) return undefined;
        if (draw < 0.3) return { status: 429 };
        if (draw < 0.4) return { status: 500 };
        if (draw < 0.5) return { text: '' };
        return draw < 0.6 ? { slowMs: 100 } : undefined;
      },
    });
    const job = await platform.run('research-questions', input as never, { model: 'stub' });
    expect(job.status).toBe('SUCCEEDED_WITH_ERRORS');
    const questions = await output<Question>(job, 'questions.jsonl');
    const short = questions.filter(({ kind }) => kind === 'short');
    expect(short.length).toBeGreaterThan(0);
    for (const { hardness, evidence } of short) {
      expect(hardness).toBeGreaterThanOrEqual(0.25);
      expect(hardness).toBeLessThanOrEqual(0.75);
      expect(evidence.length).toBeGreaterThan(0);
    }
    const codes = (await output<{ code: string }>(job, 'rejects.jsonl')).map(({ code }) => code);
    expect(codes).toContain('model_failed');
    expect(codes).toContain('closed_book');
    expect(new Set(stub.requests.map(({ role }) => role))).toEqual(
      new Set([
        'extend-hop',
        'validate-question',
        'closed-book',
        'write-rubric',
        'verify-answer',
        'research-step',
      ]),
    );
  }, 180_000);

  it('cancelled while a solver works, it takes the solver with it; resumed, it pays for nothing again', async () => {
    let steps = 0;
    const begun = Promise.withResolvers<string>();
    const client: Client = await start({
      async before({ role }) {
        if (role !== 'research-step' || ++steps !== 5) return undefined;
        const path = `/v1/jobs/${await begun.promise}/cancel`;
        return (await client({ method: 'POST', path })).status === 202 ? undefined : { status: 400 };
      },
    });
    const store = jobStore(platform.runtime);
    const body = { workflow: 'research-questions', input, model: 'stub' };
    const jobId: string = (await client({ method: 'POST', path: '/v1/jobs', body })).body.jobId;
    begun.resolve(jobId);
    expect(await platform.settled(jobId)).toMatchObject({ status: 'CANCELLED' });
    const [solver, ...others] = await store.children(jobId);
    expect(others).toEqual([]);
    expect((await store.require(solver!)).job.status).toBe('CANCELLED');
    const before = stub.answered.length;
    // What was on its way when the cancel came; nothing after it.
    expect(stub.requests.filter(({ role }) => role === 'research-step').length).toBeLessThan(30);

    const resumed = await client({ method: 'POST', path: `/v1/jobs/${jobId}/resume` });
    expect(resumed.status).toBe(202);
    const done = await platform.settled(jobId);
    expect(done.status).toBe('SUCCEEDED');
    expect((await output<Question>(done, 'questions.jsonl')).length).toBeGreaterThan(0);
    const children = await store.children(jobId);
    expect(children.length).toBeGreaterThanOrEqual(2);
    for (const child of children.filter((id) => id !== solver)) {
      expect((await store.require(child)).job.status).toBe('SUCCEEDED');
    }
    const paid = await paidBy([jobId, ...children]);
    expect(new Set(paid).size).toBe(paid.length);
    expect(stub.answered.length).toBeGreaterThan(before);
  }, 180_000);
});
