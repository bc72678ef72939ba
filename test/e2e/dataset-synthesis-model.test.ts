import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Reject, StageResult } from '#functions/dataset-synthesis/records.ts';
import { catalog, openPlatform, type Platform } from '#local/platform.ts';
import type { LedgerRow } from '#shared/models/types.ts';
import { readJsonl } from '#shared/storage/jsonl.ts';
import { jobControl } from '#shared/task/job-control.ts';
import type { Job } from '#shared/task/jobs.ts';
import { bridge, jsonl } from '#test/functions/dataset-synthesis/bridges.ts';
import { stubModels } from '#test/support/chat-server.ts';
import { aboutBridge, goodAnswer } from './bridge-answers.ts';
import { chatStub, type ChatAnswer, type ChatCall, type ChatStub } from './chat-stub.ts';

/** dataset-synthesis on the whole embedded platform, against an OpenAI-compatible server. */

const KEY = 'ingest-free/bridges.jsonl';
let open: { platform: Platform; stub: ChatStub; dir: string } | undefined;
afterEach(async () => {
  await open?.platform.close();
  await open?.stub.close();
  if (open) await rm(open.dir, { recursive: true, force: true });
  open = undefined;
});

async function start(
  count: number,
  answer: (call: ChatCall) => ChatAnswer | undefined,
  model: Record<string, unknown> = {},
) {
  const stub = await chatStub((call) => answer(call) ?? goodAnswer(call));
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-e2e-'));
  const models = join(dir, 'models.json');
  await writeFile(models, stubModels(stub.url, model));
  const platform = await openPlatform({ dataDir: join(dir, 'data'), env: { AGENTMILL_MODELS: models } });
  open = { platform, stub, dir };
  await platform.runtime.artifacts.put(KEY, jsonl(Array.from({ length: count }, (_, n) => bridge(n))));
  return { platform, stub };
}

const run = (input: Record<string, unknown> = {}, options: object = {}): Promise<Job> =>
  open!.platform.run('dataset-synthesis', { sources: [{ uri: KEY }], ...input } as never, {
    model: 'stub',
    ...options,
  });

async function rejectsOf(job: Job): Promise<Reject[]> {
  const rejects: Reject[] = [];
  for await (const { value } of readJsonl(
    open!.platform.runtime.artifacts,
    `jobs/${job.jobId}/output/rejects.jsonl`,
  )) {
    rejects.push(value as Reject);
  }
  return rejects;
}

/** What became of every subject in every stage. */
async function stagesOf(job: Job): Promise<StageResult[]> {
  const { artifacts } = open!.platform.runtime;
  const stages: StageResult[] = [];
  const { objects } = await artifacts.list({ prefix: `jobs/${job.jobId}/` });
  for (const { key } of objects.filter((object) => object.key.endsWith('.stages.jsonl'))) {
    for await (const { value } of readJsonl(artifacts, key)) stages.push(value as StageResult);
  }
  return stages;
}

const total = (stages: StageResult[], field: 'costMicros' | 'attempts'): number =>
  stages.reduce((sum, stage) => sum + stage[field], 0);

async function dataHash(job: Job): Promise<string | undefined> {
  return (await open!.platform.runtime.artifacts.head(`jobs/${job.jobId}/output/data/part-00000.jsonl`))
    .sha256;
}

const roleCalls = (stub: ChatStub, role: string, n: number): number =>
  stub.answered.filter((call) => call.role === role && aboutBridge(call.prompt) === n).length;

test('[dataset-synthesis 7] fences, preambles and trailing commas cost no second call, garbage one; TeX arrives intact', async () => {
  const filter = goodAnswer({ role: 'filter', prompt: '', body: '' });
  const dressed = [
    `\`\`\`json\n${filter}\n\`\`\``,
    `Sure, here it is: ${filter}`,
    filter.replace('}', ',}'),
    'no json at all',
  ];
  const tex = String.raw`{"thought":"","question":"Which share of the cost of Dovercross Bridge in Fenmoor did the county of Arven bear?","answer":"\frac{1}{2}","answerType":"expression","aliases":[],"evidence":""}`;
  const { stub } = await start(4, ({ role, prompt }) =>
    role === 'filter' ? dressed[aboutBridge(prompt)] : role === 'generate' ? tex : undefined,
  );
  const job = await run({
    personas: { max: 1 },
    domains: { fixed: 'Math' },
    tolerance: { failedPercent: 100 },
    dedup: { pairs: 'off' },
  });
  expect([0, 1, 2, 3].map((n) => roleCalls(stub, 'filter', n))).toEqual([1, 1, 1, 2]);
  const rejects = await rejectsOf(job);
  expect(rejects.filter(({ stage }) => stage === 'filter')).toMatchObject([
    { code: 'PARSE_ERROR', evidence: { raw: 'no json at all' } },
  ]);
  const answers: unknown[] = [];
  for await (const { value } of readJsonl(
    open!.platform.runtime.artifacts,
    `jobs/${job.jobId}/output/data/part-00000.jsonl`,
  ))
    answers.push((value as { answer: unknown }).answer);
  expect(new Set(answers)).toEqual(new Set([String.raw`\frac{1}{2}`]));
});

test('[dataset-synthesis 8] a throttled model changes nothing but the time: each success is paid once', async () => {
  let throttled = 12;
  const { stub } = await start(4, () =>
    throttled-- > 0 ? { status: 429, headers: { 'retry-after': '0' } } : undefined,
  );
  const slow = await run();
  expect(slow.status).toBe('SUCCEEDED');
  expect(stub.requests.length - stub.answered.length).toBe(12);
  expect(new Set(stub.answered.map(({ body }) => body)).size).toBe(stub.answered.length);
  expect(stub.answered).toHaveLength(4 + 4 + 8 + 8);
  const stages = await stagesOf(slow);
  expect(stages).toHaveLength(4 + 4 + 8 + 8);
  expect(total(stages, 'costMicros')).toBe(slow.cost.microUsd);
  expect(total(stages, 'attempts')).toBe(stub.requests.length);
  expect(stages.filter(({ cached }) => cached)).toEqual([]);
  const hash = await dataHash(slow);
  const again = await run();
  expect(await dataHash(again)).toBe(hash);
  expect(stub.answered).toHaveLength(4 + 4 + 8 + 8);
  expect(again.cost.cacheHits).toBe(24);
  const free = await stagesOf(again);
  expect(
    free.filter(({ cached, attempts, costMicros }) => cached && attempts + costMicros === 0),
  ).toHaveLength(24);
});

test('[dataset-synthesis 9] a persistent 500 is PROVIDER_ERROR; a prompt over the context is CONTEXT_OVERFLOW, unsent', async () => {
  const { platform, stub } = await start(
    3,
    ({ prompt }) => (aboutBridge(prompt) === 1 ? { status: 500 } : undefined),
    {
      contextTokens: 9000,
      maxOutputTokens: 1024,
    },
  );
  const long = bridge(4, {
    text: `${bridge(4).text} ${'The masons wrote down each day what they had done. '.repeat(900)}`,
  });
  await platform.runtime.artifacts.put(KEY, jsonl([bridge(0), bridge(1), long]));
  const job = await run({ tolerance: { failedPercent: 100 }, documents: { maxTokens: 20_000 } });
  expect(job.status).toBe('SUCCEEDED_WITH_ERRORS');
  expect((await rejectsOf(job)).map(({ code, source }) => [source.line, code])).toEqual([
    [2, 'PROVIDER_ERROR'],
    [3, 'CONTEXT_OVERFLOW'],
  ]);
  expect(stub.requests.some(({ prompt }) => aboutBridge(prompt) === 4)).toBe(false);
});

test('[dataset-synthesis 13] the cap holds to the micro-dollar; raised, the job goes on where it stopped', async () => {
  const { platform, stub } = await start(20, () => undefined);
  const job = await run({}, { budget: { usd: 0.003 } });
  expect(job.status).toBe('BUDGET_EXHAUSTED');
  expect(job.cost.microUsd).toBeLessThanOrEqual(3000);
  expect(job.cost.microUsd).toBe(stub.answered.length * 50);
  const exists = (name: string): Promise<boolean> =>
    platform.runtime.artifacts.head(`jobs/${job.jobId}/output/${name}`).then(
      () => true,
      () => false,
    );
  expect([await exists('_PARTIAL'), await exists('_SUCCESS')]).toEqual([true, false]);

  await jobControl(platform.runtime, catalog).resume(job.jobId, { budget: { usd: 1 } });
  const whole = await platform.settled(job.jobId);
  expect(whole).toMatchObject({ status: 'SUCCEEDED', yields: { accepted: 40, pending: 0 } });
  expect(new Set(stub.answered.map(({ body }) => body)).size).toBe(stub.answered.length);
  expect(stub.answered).toHaveLength(20 * 6);
  expect([await exists('_PARTIAL'), await exists('_SUCCESS')]).toEqual([false, true]);
  // Answers of the first attempt keep what they took then.
  const stages = await stagesOf(whole);
  expect(stages.filter(({ attempts, cached }) => attempts === (cached ? 0 : 1))).toHaveLength(20 * 6);
  expect(total(stages, 'costMicros')).toBe(50 * stages.filter(({ cached }) => !cached).length);
  // The exported ledger accounts for the job, attempt by attempt.
  const rows: LedgerRow[] = [];
  for await (const { value } of readJsonl(
    platform.runtime.artifacts,
    `jobs/${job.jobId}/output/ledger.jsonl`,
  )) {
    rows.push(value as LedgerRow);
  }
  expect(rows.filter(({ kind }) => kind !== 'cache')).toHaveLength(20 * 6);
  expect(rows.reduce((sum, { costMicros }) => sum + costMicros, 0)).toBe(whole.cost.microUsd);
});
