import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { startEndpointServer, type Backend, type EndpointServer } from '#local/endpoint-server/index.ts';
import { systemClock } from '#shared/determinism/clock.ts';
import { randomIds } from '#shared/determinism/ids.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { budgetOf, openBudget } from '#shared/models/budget.ts';
import { closeDoor, inferStream } from '#shared/models/door.ts';
import { ledgerRows, reconcile } from '#shared/models/ledger.ts';
import { closeProviders } from '#shared/models/providers/index.ts';
import { loadRegistry } from '#shared/models/registry.ts';
import type { InferEvent, InferRequest, InferResult, LedgerRow } from '#shared/models/types.ts';
import { readJsonl, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Json, Queue, Workflows } from '#shared/storage/ports.ts';
import { withRuntime } from '#shared/task/runtime.ts';
import { handler as infer } from '#functions/inference/infer.ts';
import { handler as onResult } from '#functions/inference/on-result.ts';
import { handler as sweep } from '#functions/inference/sweep.ts';
import { embeddedRuntime, manualClock, type TestRuntime } from '#test/support/runtime.ts';

/** The infer task on SageMaker: the real SDK against the platform's own endpoint server. */

const JOB = 'test-workflow.aaaaaaaaaaaaaaaaaaaaaaaaaa';
const PREFIX = `jobs/${JOB}/work/0`;
const OUTPUT = {
  name: 'sum',
  schema: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] },
};

let open: { world: TestRuntime; server: EndpointServer; dir: string } | undefined;
afterEach(async () => {
  if (!open) return;
  const { world, server, dir } = open;
  open = undefined;
  await closeDoor(world.runtime);
  await closeProviders(world.runtime);
  await server.close();
  await world.close();
  await rm(dir, { recursive: true, force: true });
});

const completion = (content: string): string =>
  JSON.stringify({
    choices: [{ message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 100, completion_tokens: 50 },
  });
const promptOf = (body: Uint8Array): string => {
  const { messages } = JSON.parse(Buffer.from(body).toString()) as { messages: { content: string }[] };
  return messages.map(({ content }) => content).join('\n');
};
/** The number a prompt asks back, and how often it was asked. */
const asked = (tries: Map<string, number>, body: Uint8Array): { n: string; nth: number } => {
  const n = /Give (\d+)\./.exec(promptOf(body))![1]!;
  const nth = tries.get(n) ?? 0;
  tries.set(n, nth + 1);
  return { n, nth };
};
const requestsOf = (count: number, model: string): InferRequest[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `r${n}`,
    role: { name: 'test/role', version: '1' },
    model,
    messages: [{ role: 'user', content: `Give ${n}.` }],
    output: OUTPUT,
  }));

async function start(
  backend: Backend,
  options: {
    clock?: ReturnType<typeof manualClock>;
    completions?: (body: string) => void;
    workflows?: Workflows;
  } = {},
) {
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-e2e-'));
  const models = join(dir, 'models.json');
  const common = {
    codec: 'openai',
    contextTokens: 8192,
    maxOutputTokens: 200,
    price: [{ from: '2020-01-01', inputPerMTok: 1, outputPerMTok: 4 }],
    billing: 'token',
    limits: { rpm: 600_000, tpm: 600_000_000, concurrency: 8 },
    features: { jsonSchema: true, streaming: true },
  };
  const endpoint = (name: string) => ({ name, region: 'eu-west-1' });
  await writeFile(
    models,
    JSON.stringify({
      models: [
        { ...common, name: 'direct', provider: 'sagemaker', endpoint: endpoint('am-direct') },
        {
          ...common,
          name: 'big',
          provider: 'sagemaker-async',
          endpoint: endpoint('am-big'),
          async: { ttlSeconds: 600, invocationTimeoutSeconds: 600 },
        },
      ],
    }),
  );
  const server = await startEndpointServer({
    backend,
    endpoints: { 'am-direct': {}, 'am-big': {} },
    async: {
      bucket: (name) => world.runtime.bucket(name),
      completions: {
        send: async (messages: { body: string }[]) =>
          messages.forEach(({ body }) => options.completions?.(body)),
      } as unknown as Queue,
      outputBucket: 'agentmill-local',
      clock: options.clock ?? systemClock,
      ids: randomIds,
    },
  });
  const world = await embeddedRuntime({
    env: { AGENTMILL_MODELS: models, AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: server.url },
    ...(options.clock ? { clock: options.clock } : {}),
    ...(options.workflows ? { workflows: options.workflows } : {}),
  });
  open = { world, server, dir };
  await openBudget(world.runtime, JOB, { microUsd: 10_000_000 });
  const run = async (requests: InferRequest[], patch: Record<string, unknown> = {}): Promise<Json> => {
    const ref = await writeJsonl(world.runtime.artifacts, `jobs/${JOB}/work/requests.jsonl`, requests);
    const event = { jobId: JOB, workflow: 'test-workflow', stage: 'work', requests: ref, prefix: PREFIX };
    return withRuntime(world.runtime, () => infer({ ...event, ...patch }, {})) as Promise<Json>;
  };
  return { world, server, run };
}

async function resultsOf(output: unknown): Promise<InferResult[]> {
  const results: InferResult[] = [];
  const { results: ref } = output as { results: ArtifactRef };
  for await (const { value } of readJsonl(open!.world.runtime.artifacts, ref))
    results.push(value as InferResult);
  return results;
}
async function rows(): Promise<LedgerRow[]> {
  const all: LedgerRow[] = [];
  for await (const row of ledgerRows(open!.world.runtime.records, JOB)) all.push(row);
  return all;
}

describe('a batch at a real-time endpoint', () => {
  it('answers every request, through throttling, container errors, garbage and a re-ask', async () => {
    const tries = new Map<string, number>();
    const { server, run } = await start(async (_endpoint, body) => {
      const { n, nth } = asked(tries, body);
      if (nth === 0 && Number(n) % 10 === 1) return { status: 429, body: 'slow down' };
      if (nth === 0 && Number(n) % 10 === 2) return { status: 500, body: 'oops' };
      if (nth === 0 && Number(n) % 10 === 3) return { status: 200, body: '{"choices":[{"mess' };
      if (nth === 0 && Number(n) % 10 === 4) return { status: 200, body: completion('no number') };
      if (n === '15') return { status: 400, body: 'no such thing' };
      return { status: 200, body: completion(`\`\`\`json\n{"n": ${n},}\n\`\`\``) };
    });
    const output = await run(requestsOf(30, 'direct'), { mode: 'sync' });
    expect(output).toMatchObject({ done: true, counts: { total: 30, ok: 29, failed: 1, rejected: 0 } });
    const results = await resultsOf(output);
    expect(results.map(({ id }) => id)).toEqual(requestsOf(30, 'direct').map(({ id }) => id));
    results.forEach((result, n) => {
      if (n === 15) expect(result).toMatchObject({ status: 'failed', error: { code: 'BAD_REQUEST' } });
      else expect(result).toMatchObject({ status: 'ok', output: { n }, provider: 'sagemaker' });
    });
    // One HTTP request an attempt, one row a request.
    const all = await rows();
    expect(all).toHaveLength(server.calls()['am-direct']!);
    const paid = all.filter((row) => row.billed === 'yes');
    expect(paid).toHaveLength(29 + 3);
    expect(paid.reduce((sum, row) => sum + row.costMicros, 0)).toBe(32 * 300);
    const totals = await reconcile(open!.world.runtime, JOB);
    expect((await budgetOf(open!.world.runtime, JOB)).spent.micros).toBe(totals.microUsd);
  });

  it('streams, and begins again after a broken stream', async () => {
    let calls = 0;
    const chunk = (delta: unknown, finish: string | null = null): string =>
      `data: ${JSON.stringify({ choices: [{ delta, finish_reason: finish }] })}\n\n`;
    const { world } = await start(async function* () {
      calls++;
      yield chunk({ content: 'Hé' });
      if (calls === 1) throw new Error('the container died');
      yield chunk({ content: 'llo' });
      yield chunk({}, 'stop');
      yield 'data: [DONE]\n\n';
    } as Backend);
    const { runtime } = world;
    const events: InferEvent[] = [];
    const [one] = requestsOf(1, 'direct');
    const { output: _, ...plain } = one!;
    for await (const event of inferStream(plain, {
      jobId: JOB,
      workflow: 'test-workflow',
      stage: 'work',
      runtime,
      registry: await loadRegistry(runtime),
      roleOf: async () => undefined,
      rng: seededRng('stream'),
    })) {
      events.push(event);
    }
    expect(events.map((event) => (event.type === 'text' ? event.delta : event.type))).toEqual([
      'start',
      'Hé',
      'reset',
      'Hé',
      'llo',
      'end',
    ]);
    expect(events.at(-1)).toMatchObject({ result: { status: 'ok', text: 'Héllo' }, trace: { attempts: 2 } });
  });
});

describe('a batch at an asynchronous endpoint', () => {
  /** Submits, then lets notifications and the sweep finish it. @returns minutes that passed. */
  async function through(backend: Backend, count: number, notices: (body: string) => string[]) {
    const clock = manualClock();
    const pending: string[] = [];
    let completed = 0;
    const sent: Json[] = [];
    const workflows = {
      sendTaskSuccess: async (_token: string, output: Json) => void sent.push(output),
      sendTaskFailure: async (_token: string, failure: Json) => void sent.push(failure),
      sendTaskHeartbeat: async () => undefined,
    } as unknown as Workflows;
    const { world, server, run } = await start(backend, {
      clock,
      workflows,
      completions: (body) => {
        completed++;
        pending.push(...notices(body));
      },
    });
    /** The endpoint works in real time: whatever it accepted has been answered. */
    const answered = async (): Promise<void> => {
      while (completed < server.calls()['am-big']!) await pause(5);
    };
    const inside = <T>(work: () => Promise<T>): Promise<T> => withRuntime(world.runtime, work);
    expect(await run(requestsOf(count, 'big'), { mode: 'token', taskToken: 'T' })).toEqual({
      token: 'waiting',
    });
    let minutes = 0;
    for (; sent.length === 0 && minutes < 60; minutes++) {
      for (await answered(); pending.length > 0 && sent.length === 0; await answered()) {
        const Records = pending.splice(0).map((body, n) => ({ messageId: String(n), body }));
        expect(await inside(() => onResult({ Records }))).toEqual({ batchItemFailures: [] });
      }
      if (sent.length > 0) break;
      clock.advance(60_000);
      await inside(sweep);
    }
    // Late copies and sweeps change nothing.
    const late = pending.splice(0).map((body, n) => ({ messageId: String(n), body }));
    await inside(() => onResult({ Records: late }));
    clock.advance(3_600_000);
    await inside(sweep);
    return { world, server, sent, minutes };
  }

  async function books(world: TestRuntime, paid: number): Promise<void> {
    const all = await rows();
    expect(all.every((row) => row.state === 'settled')).toBe(true);
    expect(all.filter((row) => row.billed === 'yes')).toHaveLength(paid);
    const totals = await reconcile(world.runtime, JOB);
    const { spent, remaining, leases } = await budgetOf(world.runtime, JOB);
    expect(spent.micros).toBe(totals.microUsd);
    expect(spent.micros + remaining.micros).toBe(10_000_000);
    expect(leases).toBe(0);
  }

  const answering: Backend = async (_endpoint, body) => ({
    status: 200,
    body: completion(`{"n": ${/Give (\d+)\./.exec(promptOf(body))![1]}}`),
  });

  it('[model-inference 9] every third notification lost and every third tripled: one settlement a request, one task success', async () => {
    let n = 0;
    const { world, server, sent, minutes } = await through(answering, 12, (body) => {
      n++;
      if (n % 3 === 0) return [];
      if (n % 3 === 1) return [body];
      return [body, JSON.stringify({ Type: 'Notification', Message: body }), body];
    });
    expect(minutes).toBeLessThanOrEqual(3);
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ done: true, counts: { total: 12, ok: 12 }, costMicros: 12 * 300 });
    expect(Buffer.byteLength(JSON.stringify(sent[0]))).toBeLessThan(2048);
    (await resultsOf(sent[0])).forEach((result, line) =>
      expect(result).toMatchObject({ id: `r${line}`, status: 'ok', output: { n: line } }),
    );
    expect(server.calls()).toEqual({ 'am-big': 12 });
    await books(world, 12);
  });

  it('without any notification the sweep alone ends it', async () => {
    const { world, sent, minutes } = await through(answering, 5, () => []);
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ counts: { total: 5, ok: 5 } });
    expect(minutes).toBeLessThanOrEqual(3);
    await books(world, 5);
  });

  it('failures are submitted again, garbage is asked again once, and what stays bad is a reject', async () => {
    const tries = new Map<string, number>();
    const { world, server, sent } = await through(
      async (_endpoint, body) => {
        const { n, nth } = asked(tries, body);
        if (n === '1' && nth < 2) return { status: 500, body: 'oops' };
        if (n === '2') return { status: 400, body: 'no such thing' };
        if (n === '3' && nth === 0) return { status: 200, body: 'no JSON' };
        if (n === '4' && nth === 0) return { status: 200, body: completion('no number') };
        if (n === '5') return { status: 200, body: completion('never a number') };
        return { status: 200, body: completion(`{"n": ${n}}`) };
      },
      7,
      (body) => [body],
    );
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ counts: { total: 7, ok: 5, rejected: 1, failed: 1 } });
    const results = await resultsOf(sent[0]);
    expect(results.map(({ status }) => status)).toEqual(['ok', 'ok', 'failed', 'ok', 'ok', 'rejected', 'ok']);
    expect(results[2]!.error).toMatchObject({ code: 'BAD_REQUEST' });
    expect(results[5]!.error).toMatchObject({ code: 'PARSE_ERROR', raw: 'never a number' });
    expect(Object.fromEntries(tries)).toEqual({ 0: 1, 1: 3, 2: 1, 3: 2, 4: 2, 5: 2, 6: 1 });
    expect(server.calls()).toEqual({ 'am-big': 12 });
    // r0, r1's third, r3's second, r4 twice, r5 twice, r6.
    await books(world, 8);
  });
});
