import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadSteps, loadTexts } from '#functions/deep-research/run/store.ts';
import { startEndpointServer, type EndpointServer } from '#local/endpoint-server/index.ts';
import { openPlatform, type Platform } from '#local/platform.ts';
import { systemClock, type Clock } from '#shared/determinism/clock.ts';
import { randomIds } from '#shared/determinism/ids.ts';
import { ledgerRows } from '#shared/models/ledger.ts';
import { readJsonl } from '#shared/storage/jsonl.ts';
import type { HistoryEvent, Queue } from '#shared/storage/ports.ts';
import { executionName } from '#shared/task/envelope.ts';
import type { Job } from '#shared/task/jobs.ts';
import { allEvents } from '#test/local/states/engine/support.ts';
import { riverCorpus, RIVERS, toolCall } from './research-stub.ts';

/** deep-research through its whole machine at SageMaker endpoints: the real SDK against the platform's endpoint server. */

const CORPUS = 'in/rivers.jsonl';
const OUTPUT_BUCKET = 'agentmill-local';

let open: { platform: Platform; server: EndpointServer; dir: string } | undefined;
afterEach(async () => {
  if (!open) return;
  const { platform, server, dir } = open;
  open = undefined;
  await server.close();
  await platform.close();
  await rm(dir, { recursive: true, force: true });
});

/** Looks about until a step, then answers. */
const script = (step: number, last: number): string =>
  step >= last
    ? '<think>Enough.</think><answer>930 km<citations>[{"url": "corpus://danube", "quote": "Length: 930 km"}]</citations></answer>'
    : step % 3 === 0
      ? toolCall('browse_page', { url: `corpus://${RIVERS[(step / 3) % RIVERS.length]!.toLowerCase()}` })
      : step % 20 === 0
        ? toolCall('clean_memory', { content: `Up to step ${step}: the Danube has 930 km.` })
        : toolCall('search_internet', { query: `river ${step}` });

interface Prompt {
  step: number;
  text: string;
}

/** A platform with a real-time and an asynchronous endpoint in front of the same script. */
async function start(
  last: number,
  { clock, onCall, copies = 1 }: { clock?: Clock; onCall?: () => void; copies?: number } = {},
): Promise<{ platform: Platform; server: EndpointServer; prompts: Prompt[] }> {
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-async-'));
  const prompts: Prompt[] = [];
  const results = (): Queue => platform.runtime.queue('results');
  const server = await startEndpointServer({
    backend: async (_endpoint, body) => {
      const { messages } = JSON.parse(Buffer.from(body).toString()) as { messages: { content: string }[] };
      const text = messages.map(({ content }) => content).join('\n');
      const step = Number(/^This is step (\d+) of \d+\./m.exec(text)?.[1]);
      prompts.push({ step, text });
      onCall?.();
      return {
        status: 200,
        body: JSON.stringify({
          choices: [{ message: { role: 'assistant', content: script(step, last) }, finish_reason: 'stop' }],
          usage: { prompt_tokens: 100, completion_tokens: 50 },
        }),
      };
    },
    endpoints: { 'am-direct': {}, 'am-later': {} },
    async: {
      bucket: (name) => platform.runtime.bucket(name),
      // Each completion is told several times, beside the output object's own event.
      completions: {
        send: async (messages: { body: string }[]) => {
          for (let copy = 0; copy < copies; copy++) await results().send(messages);
        },
      } as unknown as Queue,
      outputBucket: OUTPUT_BUCKET,
      clock: systemClock,
      ids: randomIds,
    },
  });
  const common = {
    codec: 'openai',
    contextTokens: 32_768,
    maxOutputTokens: 4096,
    price: [{ from: '2020-01-01', inputPerMTok: 1, outputPerMTok: 10 }],
    billing: 'token',
    limits: { rpm: 600_000, tpm: 6_000_000_000, concurrency: 8 },
    features: { jsonSchema: true, tools: false, streaming: false },
  };
  const models = join(dir, 'models.json');
  await writeFile(
    models,
    JSON.stringify({
      models: [
        { name: 'builtin', provider: 'builtin' },
        {
          ...common,
          name: 'direct',
          provider: 'sagemaker',
          endpoint: { name: 'am-direct', region: 'eu-west-1' },
        },
        {
          ...common,
          name: 'later',
          provider: 'sagemaker-async',
          endpoint: { name: 'am-later', region: 'eu-west-1' },
          async: { ttlSeconds: 600, invocationTimeoutSeconds: 600 },
        },
      ],
      routes: [],
    }),
  );
  const platform = await openPlatform({
    dataDir: join(dir, 'data'),
    env: {
      AGENTMILL_MODELS: models,
      AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: server.url,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    },
    ...(clock ? { clock } : {}),
  });
  open = { platform, server, dir };
  await platform.runtime.artifacts.put(CORPUS, riverCorpus());
  return { platform, server, prompts };
}

const research = (platform: Platform, model: string, limits: object = {}): Promise<Job> =>
  platform.run(
    'deep-research',
    {
      questions: [{ text: 'How long is the Danube?', gold: '930 km' }],
      corpus: { ref: { key: CORPUS }, index: 'lexical', entityNoun: 'river' },
      asOf: '2026-01-01',
      limits,
    } as never,
    { model },
  );

async function lines<T>(platform: Platform, key: string): Promise<T[]> {
  const rows: T[] = [];
  for await (const { value } of readJsonl(platform.runtime.artifacts, key)) rows.push(value as T);
  return rows;
}

/** What a job's one run did and said: everything that must not depend on how its model answers. */
async function fingerprint(platform: Platform, job: Job): Promise<unknown> {
  const output = (name: string): string => `jobs/${job.jobId}/output/${name}`;
  const [run] = await lines<Record<string, unknown>>(platform, output('runs.jsonl'));
  const steps = await loadSteps(platform.runtime.records, job.jobId, String(run!.runId));
  const texts = await Promise.all(
    steps.map(async (step) => {
      const { reply, observation } = await loadTexts(platform.runtime.artifacts, step);
      const { n, attempt, call, parse, outcome } = step;
      return { n, attempt, call, parse, outcome, text: reply.text, observation: observation?.observation };
    }),
  );
  const [answer] = await lines<Record<string, unknown>>(platform, output('answers.jsonl'));
  const { short, partial, citations, reward } = answer!;
  return { status: run!.status, usage: run!.usage, texts, short, partial, citations, reward };
}

/** The history of a job's execution, and of each rollout's. */
async function histories(
  platform: Platform,
  job: Job,
): Promise<{ parent: HistoryEvent[]; children: HistoryEvent[][] }> {
  const { engine } = platform;
  const { items } = await engine.list({ machine: 'deep-research' });
  const { executionArn } = items.find(({ name }) => name === executionName(job.jobId, 1))!;
  const children: HistoryEvent[][] = [];
  for (const mapRun of engine.listMapRuns(executionArn)) {
    if (!mapRun.mapRunArn.includes('rollouts')) continue;
    for (const child of engine.listChildren(mapRun.mapRunArn).items)
      children.push(await allEvents(engine, child.executionArn));
  }
  return { parent: await allEvents(engine, executionArn), children };
}

/** Bytes of the largest input or output in a history. */
function largestPayload(events: readonly HistoryEvent[]): number {
  const sizes = events.flatMap(({ details }) =>
    Object.values((details ?? {}) as Record<string, unknown>).map((value) =>
      Buffer.byteLength(typeof value === 'string' ? value : JSON.stringify(value)),
    ),
  );
  return Math.max(0, ...sizes);
}

const count = (events: readonly HistoryEvent[], type: string): number =>
  events.filter((event) => event.type === type).length;

describe('research at an asynchronous endpoint', () => {
  it('[deep-research 21] 20 steps by token through the whole machine equal the synchronous run; tripled completions change nothing', async () => {
    const { platform, server, prompts } = await start(20, { copies: 2 });
    const sync = await research(platform, 'direct');
    expect(sync).toMatchObject({ status: 'SUCCEEDED', cost: { calls: 20 } });
    const told = prompts.splice(0);
    const later = await research(platform, 'later');
    expect(later).toMatchObject({ status: 'SUCCEEDED', cost: { calls: 20, microUsd: sync.cost.microUsd } });
    expect(await fingerprint(platform, later)).toEqual(await fingerprint(platform, sync));
    expect(prompts).toEqual(told);
    expect(told.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, k) => k + 1));

    // One request a step, each paid once, whatever was told how often.
    expect(server.calls()).toEqual({ 'am-direct': 20, 'am-later': 20 });
    const rows = [];
    for await (const row of ledgerRows(platform.runtime.records, later.jobId)) rows.push(row);
    const asked = rows.filter(({ model }) => model === 'later');
    expect(asked.map(({ state, outcome }) => [state, outcome])).toEqual(Array(20).fill(['settled', 'ok']));

    // A turn with a token is two tasks: a slice, and the wait that holds no process.
    const { children } = await histories(platform, later);
    expect(children).toHaveLength(1);
    expect(count(children[0]!, 'TaskSubmitted')).toBe(20);
    expect(children[0]!.length).toBeLessThanOrEqual(13 * 21);
    expect(largestPayload(children[0]!)).toBeLessThanOrEqual(32_768);
  }, 180_000);

  it('[deep-research 20] 100 steps over 60 simulated minutes through the whole machine: several slices, small payloads, short histories', async () => {
    let ahead = 0;
    const clock: Clock = {
      now: () => systemClock.now() + ahead,
      sleep: (ms, signal) => systemClock.sleep(ms, signal),
    };
    const { platform, prompts } = await start(100, { clock, onCall: () => (ahead += 36_000) });
    const job = await research(platform, 'direct', { maxSeconds: 7200 });
    expect(job).toMatchObject({ status: 'SUCCEEDED', cost: { calls: 100 } });
    expect(prompts.map(({ step }) => step)).toEqual(Array.from({ length: 100 }, (_, k) => k + 1));
    expect(ahead).toBe(3_600_000);
    const { parent, children } = await histories(platform, job);
    expect(children).toHaveLength(1);
    const slices = count(children[0]!, 'TaskScheduled');
    expect(slices).toBeGreaterThanOrEqual(5);
    expect(slices).toBeLessThanOrEqual(10);
    for (const history of [parent, ...children]) {
      expect(history.length).toBeLessThan(500);
      expect(largestPayload(history)).toBeLessThanOrEqual(32_768);
    }
  }, 180_000);
});
