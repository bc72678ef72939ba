import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#shared/determinism/clock.ts';
import { newJobId, randomIds } from '#shared/determinism/ids.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { runBatch } from '#shared/models/batch/run.ts';
import { openBudget } from '#shared/models/budget.ts';
import type { InferContext } from '#shared/models/context.ts';
import { Door } from '#shared/models/door/door.ts';
import { inferThrough } from '#shared/models/door/infer.ts';
import { reconcile } from '#shared/models/ledger.ts';
import { parseRegistry } from '#shared/models/registry.ts';
import type { InferRequest, Provider } from '#shared/models/types.ts';
import { openEmbedded } from '#shared/storage/embedded/index.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { Runtime } from '#shared/task/runtime.ts';

/** What the door adds to a model that takes no time, on the embedded platform (model-inference section 14). */

const PROMPT_BYTES = 4096;
const CONCURRENCY = 16;
const CALLS = 10_000;
const WARM_UP = 3000;

const registry = parseRegistry({
  models: [
    {
      name: 'instant',
      provider: 'openai',
      endpoint: { url: 'http://127.0.0.1:9/v1', auth: { type: 'none' } },
      contextTokens: 32_768,
      maxOutputTokens: 1024,
      billing: 'token',
      price: [{ from: '2020-01-01', inputPerMTok: 0.25, outputPerMTok: 2 }],
      limits: { rpm: 60_000_000, tpm: 600_000_000_000, concurrency: CONCURRENCY },
    },
  ],
});

const OUTPUT = {
  name: 'answer',
  schema: {
    type: 'object',
    properties: { answer: { type: 'string' }, score: { type: 'integer' } },
    required: ['answer', 'score'],
    additionalProperties: false,
  },
};

const instant: Provider = {
  name: 'openai',
  async call() {
    return {
      text: '{"answer":"forty-two","score":7}',
      finish: 'stop',
      usage: { input: 1000, output: 20 },
      httpStatus: 200,
    };
  },
};

const requestOf = (index: number): InferRequest => ({
  id: `r${index}`,
  role: { name: 'bench/answer', version: '1' },
  model: 'instant',
  messages: [{ role: 'user', content: `${index} `.padEnd(PROMPT_BYTES, 'lorem ipsum ') }],
  output: OUTPUT,
});

async function many(count: number, one: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

const rss = (): number => {
  globalThis.gc?.();
  return process.memoryUsage.rss() / 2 ** 20;
};

/** Prints the table. `calls=N` changes how many calls are made. */
export default async function run(args: string[]): Promise<void> {
  const calls = Number(args.find((arg) => arg.startsWith('calls='))?.slice(6) ?? CALLS);
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-bench-'));
  const embedded = openEmbedded({ dataDir: dir });
  const runtime: Runtime = {
    kind: 'embedded',
    artifacts: embedded.artifacts(),
    bucket: (name) => embedded.artifacts(name),
    records: embedded.records,
    queue: (name) => embedded.queue(name),
    workflows: undefined as never,
    clock: systemClock,
    ids: randomIds,
    env: {},
    writeLog: () => undefined,
  };
  const contextOf = (): InferContext => ({
    jobId: newJobId('bench'),
    workflow: 'bench',
    stage: 'bench',
    runtime,
    registry,
    roleOf: async () => undefined,
    rng: seededRng('bench'),
  });
  const door = new Door(runtime, { providerOf: async () => instant });
  const rows: [string, string, string][] = [];
  try {
    const ctx = contextOf();
    await openBudget(runtime, ctx.jobId, { microUsd: 1e12 });
    // Until the engine has compiled what is called often: a service runs for hours.
    await many(WARM_UP, (index) => inferThrough(door, requestOf(calls + index), ctx));
    for (let index = 0; index < WARM_UP; index++)
      await inferThrough(door, requestOf(calls + WARM_UP + index), ctx);

    const times: number[] = [];
    for (let index = 0; index < 2000; index++) {
      const request = requestOf(3 * calls + WARM_UP + index);
      const started = performance.now();
      await inferThrough(door, request, ctx);
      times.push(performance.now() - started);
    }
    times.sort((a, b) => a - b);
    rows.push(['overhead of a call, median', `${times[1000]!.toFixed(3)} ms`, '<= 0.3 ms']);
    rows.push(['overhead of a call, p99', `${times[1980]!.toFixed(3)} ms`, '']);

    const speed = async (): Promise<string> => {
      const started = performance.now();
      await many(calls, (index) => inferThrough(door, requestOf(index), ctx));
      return `${Math.round(calls / ((performance.now() - started) / 1000))} calls/s`;
    };
    rows.push([`uncached, ${CONCURRENCY} at once`, await speed(), '>= 2000 calls/s']);
    rows.push([`cached, ${CONCURRENCY} at once`, await speed(), '>= 5000 calls/s']);
    await reconcile(runtime, ctx.jobId);

    const batch = contextOf();
    const requests = await writeJsonl(
      runtime.artifacts,
      `jobs/${batch.jobId}/bench/requests.jsonl`,
      (function* () {
        for (let index = 0; index < 10_000; index++) yield requestOf(10 * calls + index);
      })(),
    );
    const before = rss();
    let peak = before;
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss() / 2 ** 20)), 20);
    const started = performance.now();
    const output = await runBatch(door, { requests, prefix: `jobs/${batch.jobId}/bench/0` }, batch);
    clearInterval(watch);
    const seconds = (performance.now() - started) / 1000;
    rows.push([`batch of ${output.counts.total}`, `${seconds.toFixed(1)} s`, '']);
    rows.push(['batch, added memory at its peak', `${(peak - before).toFixed(0)} MB`, '< 60 MB']);
  } finally {
    await door.close();
    await embedded.close();
    await rm(dir, { recursive: true, force: true });
  }
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value, goal] of rows)
    console.log(`${name.padEnd(width)}  ${value.padStart(14)}  ${goal}`);
}
