import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attemptIdOf, batchIdOf, callKey, callOf } from '#shared/models/batch/async/records.ts';
import { openBudget } from '#shared/models/budget.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Json, Records, Workflows } from '#shared/storage/ports.ts';
import type { Clock } from '#shared/determinism/clock.ts';
import { conflict } from '#shared/task/errors.ts';
import { withRuntime } from '#shared/task/runtime.ts';
import { handler as infer } from '#functions/inference/infer.ts';
import { handler as onResult } from '#functions/inference/on-result.ts';
import { handler as sweep } from '#functions/inference/sweep.ts';
import { embeddedRuntime, manualClock } from '#test/support/runtime.ts';

export const JOB = 'test-workflow.aaaaaaaaaaaaaaaaaaaaaaaaaa';
export const PREFIX = `jobs/${JOB}/work/0`;
/** When a call is lost: TTL, invocation time-out and the grace. */
export const TTL_MS = (60 + 60) * 1000 + 300_000;

/** What the endpoint says of a submission: 202 where a test says nothing. */
export type Respond = (
  attemptId: string,
  nth: number,
) => { status: number; headers?: Record<string, string>; body?: string } | undefined;

/**
 * A world with an asynchronous endpoint that accepts everything, or what `respond` lets through, and answers what the
 * test says, and a batch of two requests, `a` and `b`.
 */
export async function openAsyncWorld(
  options: {
    microUsd?: number;
    ids?: string[];
    request?: Record<string, unknown>;
    model?: Record<string, unknown>;
    respond?: Respond;
    /** The store of records; default: the embedded one. */
    records?: (clock: Clock) => Records;
  } = {},
) {
  const submitted: string[] = [];
  const state: { respond: Respond | undefined; open: ReadonlySet<string> | undefined } = {
    respond: options.respond,
    open: undefined,
  };
  const sent: Json[] = [];
  const beats = { count: 0 };
  const clock = manualClock();
  const server = createServer((req, res) => {
    const attemptId = String(req.headers['x-amzn-sagemaker-inference-id']);
    submitted.push(attemptId);
    const { status, headers, body = '{}' } = state.respond?.(attemptId, submitted.length) ?? { status: 202 };
    req
      .resume()
      .on('end', () => res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-async-'));
  const models = join(dir, 'models.json');
  const register = (entries: Record<string, unknown>[]): Promise<void> =>
    writeFile(models, JSON.stringify({ models: entries }));
  await register([
    {
      name: 'big',
      provider: 'sagemaker-async',
      endpoint: { name: 'am-big', region: 'eu-west-1' },
      codec: 'openai',
      contextTokens: 8192,
      maxOutputTokens: 100,
      price: [{ from: '2020-01-01', inputPerMTok: 1, outputPerMTok: 1 }],
      limits: { rpm: 6000, tpm: 6000000, concurrency: 8 },
      async: { ttlSeconds: 60, invocationTimeoutSeconds: 60 },
      ...options.model,
    },
  ]);
  const workflows = {
    sendTaskSuccess: async (_token: string, output: Json) => void sent.push(output),
    sendTaskFailure: async (_token: string, failure: Json) => void sent.push(failure),
    sendTaskHeartbeat: async (token: string) => {
      beats.count++;
      if (state.open && !state.open.has(token)) throw conflict('TaskTimedOut');
    },
  } as unknown as Workflows;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const world = await embeddedRuntime({
    clock,
    workflows,
    env: { AGENTMILL_MODELS: models, AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME: url },
  });
  const { runtime } = world;
  if (options.records) Object.assign(runtime, { records: options.records(clock) });
  await openBudget(runtime, JOB, { microUsd: options.microUsd ?? 1_000_000 });
  const requests: ArtifactRef = await writeJsonl(
    runtime.artifacts,
    `jobs/${JOB}/work/requests.jsonl`,
    (options.ids ?? ['a', 'b']).map((id) => ({
      id,
      role: { name: 'test/role', version: '1' },
      model: 'big',
      messages: [{ role: 'user', content: `Say ${id}` }],
      ...options.request,
    })),
  );
  const inside = <T>(body: () => Promise<T>): Promise<T> => withRuntime(runtime, body);
  const event = { jobId: JOB, workflow: 'test-workflow', stage: 'work', requests, prefix: PREFIX };
  const stored = async (attemptId: string) => callOf((await runtime.records.get(callKey(attemptId)))!);
  return {
    runtime,
    logs: world.logs,
    clock,
    submitted,
    sent,
    beats,
    requests,
    register,
    stored,
    /** @param leftMs time that the task has. */
    start: (more: { prefix?: string; cacheScope?: 'job'; taskToken?: string } = {}, leftMs = 900_000) =>
      inside(() =>
        infer(
          { ...event, mode: 'token', taskToken: 'T', ...more },
          { getRemainingTimeInMillis: () => leftMs },
        ),
      ),
    /** What the endpoint says from now on, and which tokens somebody waits for. */
    state,
    sweep: () => inside(sweep),
    deliver: (body: unknown) =>
      inside(() => onResult({ Records: [{ messageId: '1', body: JSON.stringify(body) }] })),
    /** The id of a line's attempt. */
    idOf: (line: number, ordinal = 0): string =>
      attemptIdOf(batchIdOf({ jobId: JOB, prefix: PREFIX, requests }), line, ordinal),
    /** Writes what the endpoint answered; returns its key. */
    async answer(attemptId: string, text: string): Promise<string> {
      const { outputKey } = await stored(attemptId);
      const body = {
        choices: [{ message: { content: text }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 10, completion_tokens: 5 },
      };
      await runtime.artifacts.put(outputKey, JSON.stringify(body));
      return outputKey;
    },
    /** Writes that the endpoint has failed; returns the key. */
    async fail(attemptId: string, reason: string): Promise<string> {
      const { failureKey } = await stored(attemptId);
      await runtime.artifacts.put(failureKey, reason);
      return failureKey;
    },
    async close(): Promise<void> {
      await world.close();
      await new Promise((resolve) => server.close(resolve));
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export type AsyncWorld = Awaited<ReturnType<typeof openAsyncWorld>>;
