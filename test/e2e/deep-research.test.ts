import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createApi } from '#functions/api/create-api.ts';
import { catalog, openPlatform, type Platform } from '#local/platform.ts';
import { ledgerRows } from '#shared/models/ledger.ts';
import { readJsonl } from '#shared/storage/jsonl.ts';
import type { Job } from '#shared/task/jobs.ts';
import { eventClient, type Client } from '#test/support/api.ts';
import {
  researchStub,
  riverCorpus,
  researchModels,
  toolCall,
  type ResearchStub,
  type StepRequest,
} from './research-stub.ts';

/** deep-research on the whole embedded platform. */

const CORPUS = 'in/rivers.jsonl';
let dir: string | undefined;
let platform: Platform;
let stub: ResearchStub | undefined;
afterEach(async () => {
  await platform.close();
  await stub?.close();
  stub = undefined;
  if (dir) await rm(dir, { recursive: true, force: true });
});

async function start(
  script?: (request: StepRequest) => string | Promise<string>,
  options: { delayMs?: number; model?: Record<string, unknown> } = {},
): Promise<Client> {
  dir = await mkdtemp(join(tmpdir(), 'agentmill-research-'));
  const env: Record<string, string> = {};
  if (script) {
    stub = await researchStub(script, options);
    env.AGENTMILL_MODELS = join(dir, 'models.json');
    await writeFile(env.AGENTMILL_MODELS, researchModels(stub.url, options.model));
  }
  platform = await openPlatform({ dataDir: join(dir, 'data'), env });
  await platform.runtime.artifacts.put(CORPUS, riverCorpus());
  return eventClient(createApi({ catalog }), platform.runtime);
}

const corpus = { ref: { key: CORPUS }, index: 'lexical', entityNoun: 'river' };

async function lines<T>(job: Job, name: string): Promise<T[]> {
  const rows: T[] = [];
  const key = `jobs/${job.jobId}/output/${name}`;
  for await (const { value } of readJsonl(platform.runtime.artifacts, key)) rows.push(value as T);
  return rows;
}

interface RunRow {
  runId: string;
  status: string;
  endReason?: string;
}
interface AnswerRow {
  short: string;
  partial: boolean;
  citations: { status: string; quote: string }[];
}

async function ended(client: Client, jobId: string): Promise<string> {
  for (;;) {
    const { body } = await client({ path: `/v1/research/${jobId}` });
    if (!['QUEUED', 'RUNNING'].includes(body.job)) return body.job;
    await delay(30);
  }
}

/** Server-sent events of a response: ids and types. */
const eventsIn = (text: string): { id: string; type: string; data: Record<string, unknown> }[] =>
  text
    .split('\n\n')
    .map((block) => /^id: (.+)\nevent: (.+)\ndata: (.+)$/.exec(block))
    .flatMap((match) => (match ? [{ id: match[1]!, type: match[2]!, data: JSON.parse(match[3]!) }] : []));

describe('research without a model', () => {
  it('[deep-research 26] events resumed by Last-Event-ID: no gap, no repeat, the cited answer at the end', async () => {
    const client = await start();
    const question = 'What is the length of the Oder?';
    const begun = await client({ method: 'POST', path: '/v1/research', body: { question, corpus } });
    expect(begun.status).toBe(202);
    const { jobId, runId, events } = begun.body;
    const told: { id: string; type: string }[] = [];
    let last: string | undefined;
    for (let round = 0; round < 50; round++) {
      const before = performance.now();
      const answer = await client({ path: events, headers: last ? { 'Last-Event-ID': last } : {} });
      expect(performance.now() - before).toBeLessThan(25_000);
      if (answer.status === 204) break;
      expect(answer.headers['content-type']).toBe('text/event-stream; charset=utf-8');
      expect(answer.body).toMatch(/^retry: 1000\n\n/);
      // The connection breaks after the first event: the rest is asked for anew.
      const [first] = eventsIn(answer.body);
      if (first) {
        told.push(first);
        last = first.id;
      }
    }
    const whole = eventsIn((await client({ path: events })).body);
    expect(told.map(({ id, type }) => [id, type])).toEqual(whole.map(({ id, type }) => [id, type]));
    expect(new Set(whole.map(({ id }) => id)).size).toBe(whole.length);
    expect(whole[0]).toMatchObject({ id: `${runId}/0.0`, type: 'run.started' });
    expect(whole.at(-1)).toMatchObject({ type: 'job.status', data: { status: 'SUCCEEDED' } });
    expect(whole.filter(({ type }) => type === 'step.call').length).toBeGreaterThanOrEqual(2);
    const state = await client({ path: `/v1/research/${jobId}` });
    expect(state.body).toMatchObject({
      status: 'answered',
      job: 'SUCCEEDED',
      answer: {
        short: '1860 km',
        citations: [{ url: 'corpus://oder', quote: 'Length: 1860 km', status: 'verified' }],
      },
    });

    // What comes too late, and what was never there.
    const note = await client({
      method: 'POST',
      path: `/v1/research/${jobId}/notes`,
      body: { text: 'And the Po?' },
    });
    expect(note).toMatchObject({ status: 409, body: { type: 'urn:agentmill:problem:run-ended' } });
    expect((await client({ path: '/v1/research/deep-research.aaaaaaaaaaaaaaaaaaaaaaaaaa' })).status).toBe(
      404,
    );
    expect((await client({ path: events, headers: { 'Last-Event-ID': 'nonsense' } })).status).toBe(422);
    const tooSmall = await client({
      method: 'POST',
      path: '/v1/research',
      body: { question, corpus, tools: { search: 'http' } },
    });
    expect(tooSmall).toMatchObject({ status: 422, body: { errors: [{ pointer: '#/tools/search' }] } });
    const none = await client({ method: 'POST', path: '/v1/research', body: { question: '', corpus } });
    expect(none).toMatchObject({ status: 422, body: { errors: [{ pointer: '#/question' }] } });
  });

  it('fails where the corpus has no document, rejects bad lines, and is the same when it runs again', async () => {
    await start();
    await platform.runtime.artifacts.put('in/none.jsonl', 'not json\n');
    const input = { questions: [{ text: 'Length of the Po?' }], asOf: '2026-01-01' };
    const failed = await platform.run('deep-research', {
      ...input,
      corpus: { ref: { key: 'in/none.jsonl' } },
    } as never);
    expect(failed.status).toBe('FAILED');
    expect(failed.error!.detail).toContain('no document');

    const questions = [
      '{"text": "What is the length of the Po?", "gold": "3,100 km"}',
      '{"text": "What is the length of the Po?"}',
      'nonsense',
      JSON.stringify({ text: `Long ${'word '.repeat(2100)}` }),
      '{"text": "What is the mouth of the Rhine?", "gold": "the sea"}',
    ];
    await platform.runtime.artifacts.put('in/questions.jsonl', questions.join('\n'));
    const whole = { ...input, questions: { key: 'in/questions.jsonl' }, corpus };
    const jobs: Job[] = [];
    for (let k = 0; k < 2; k++) jobs.push(await platform.run('deep-research', whole as never));
    expect(jobs.map(({ status }) => status)).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    expect(jobs[0]!.yields).toMatchObject({ questions: 2, rejected: 3, answered: 2 });
    const rejected = [];
    const rejects = `jobs/${jobs[0]!.jobId}/rejects/questions.jsonl`;
    for await (const { value } of readJsonl(platform.runtime.artifacts, rejects))
      rejected.push((value as { code: string }).code);
    expect(rejected).toEqual(['duplicate_question', 'bad_json', 'too_long']);
    for (const name of ['answers.jsonl', 'runs.jsonl', 'groups.jsonl', 'rewards.jsonl', 'questions.jsonl']) {
      expect(await lines(jobs[1]!, name), name).toEqual(await lines(jobs[0]!, name));
    }
    expect(await lines<{ reward: number }>(jobs[0]!, 'answers.jsonl')).toMatchObject([
      { reward: 1 },
      { reward: 1 },
    ]);
  });
});

describe('research by a model', () => {
  it('[deep-research 25] an invented quote is flagged, a genuine one verified; pages that were not read too', async () => {
    await start(({ step }) =>
      step === 1
        ? toolCall('browse_page', { url: 'corpus://danube' })
        : `<answer>930 km<citations>${JSON.stringify([
            { url: 'corpus://danube', quote: 'Length: 930 km' },
            { url: 'corpus://danube', quote: 'The Danube is the bluest of rivers' },
            { url: 'corpus://rhine', quote: 'Length: 1240 km' },
            { url: 'corpus://danube', quote: '930' },
          ])}</citations></answer>`,
    );
    const job = await platform.run(
      'deep-research',
      { questions: [{ text: 'How long is the Danube?' }], corpus } as never,
      { model: 'stub' },
    );
    const [row] = await lines<AnswerRow>(job, 'answers.jsonl');
    expect(row!.citations.map(({ status }) => status)).toEqual([
      'verified',
      'quote_not_found',
      'url_not_fetched',
      'too_short',
    ]);
  });

  it('[deep-research 23] a cancelled job ends within one step and asks nothing more', async () => {
    let jobId = '';
    const client: Client = await start(
      async ({ step }) => {
        if (step === 3) await client({ method: 'POST', path: `/v1/research/${jobId}/cancel` });
        return toolCall('search_internet', { query: `river ${step}` });
      },
      { delayMs: 20 },
    );
    const body = { question: 'Which river?', corpus, model: 'stub' };
    const begun = await client({ method: 'POST', path: '/v1/research', body });
    jobId = begun.body.jobId;
    expect(await ended(client, jobId)).toBe('CANCELLED');
    expect(stub!.requests.map(({ step }) => step)).toEqual([1, 2, 3]);
    const state = (await client({ path: `/v1/research/${jobId}` })).body;
    expect(state).toMatchObject({ status: 'cancelled', usage: { steps: 2 } });
    await delay(100);
    expect(stub!.requests).toHaveLength(3);
  });

  it('[deep-research 22] a note of the API is in the next prompts, and its run is no sample', async () => {
    let jobId = '';
    const client: Client = await start(async ({ step }) => {
      if (step === 2) {
        const path = `/v1/research/${jobId}/notes`;
        expect((await client({ method: 'POST', path, body: { text: 'Only in Europe.' } })).status).toBe(202);
      }
      return step! < 4 ? toolCall('search_internet', { query: `river ${step}` }) : '<answer>Po</answer>';
    });
    const begun = await client({
      method: 'POST',
      path: '/v1/research',
      body: { question: 'Which river?', corpus, model: 'stub' },
    });
    jobId = begun.body.jobId;
    expect(await ended(client, jobId)).toBe('SUCCEEDED');
    expect(stub!.requests.map(({ prompt }) => prompt.includes('Only in Europe.'))).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect((await client({ path: `/v1/research/${jobId}` })).body).toMatchObject({ steered: true });
    expect(await lines({ jobId } as Job, 'steps.jsonl')).toEqual([]);
  });

  it('[deep-research 24] the budget ends midway: started runs finalise from their hold, others are skipped', async () => {
    await start(
      ({ step, final }) =>
        final ? 'Some 930 km; partial.' : toolCall('browse_page', { url: `corpus://none-${step}` }),
      { delayMs: 5 },
    );
    const questions = Array.from({ length: 12 }, (_, k) => ({ text: `How long is river ${k}?` }));
    // A finalisation holds 43,000 micro-dollars, a step reserves about 20,000 and spends 600: three runs may start.
    const budget = { usd: 0.16 };
    const input = {
      questions,
      corpus,
      concurrency: 4,
      context: { L: 8192, Lmem: 4096, maxOutputTokens: 1024 },
    };
    const job = await platform.run('deep-research', input as never, { model: 'stub', budget } as never);
    expect(job.status).toBe('BUDGET_EXHAUSTED');
    const runs = await lines<RunRow>(job, 'runs.jsonl');
    const by = Object.groupBy(runs, ({ status }) => status);
    expect(Object.keys(by).sort()).toEqual(['forced', 'skipped']);
    expect(by.skipped!.length).toBeGreaterThan(0);
    for (const run of by.forced!) expect(['budget', 'max_steps']).toContain(run.endReason);
    expect(by.forced!.some(({ endReason }) => endReason === 'budget')).toBe(true);
    const answers = await lines<AnswerRow>(job, 'answers.jsonl');
    expect(answers).toHaveLength(by.forced!.length);
    for (const answer of answers)
      expect(answer).toMatchObject({ short: 'Some 930 km; partial.', partial: true });
    let spent = 0;
    for await (const row of ledgerRows(platform.runtime.records, job.jobId)) spent += row.costMicros;
    expect(spent).toBeLessThanOrEqual(160_000);
    expect(spent).toBe(job.cost.microUsd);
  });
});
