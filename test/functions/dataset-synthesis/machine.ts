import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { catalog } from '#functions/catalog.ts';
import { keysOf } from '#functions/dataset-synthesis/keys.ts';
import type { QaRecord, Reject } from '#functions/dataset-synthesis/records.ts';
import { roleOf } from '#functions/roles.ts';
import { createTaskHost } from '#local/host/index.ts';
import { createEngine } from '#local/states/index.ts';
import { hashOf } from '#shared/determinism/hash.ts';
import { newJobId } from '#shared/determinism/ids.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import type { InferErrorCode, InferRequest, InferResult } from '#shared/models/types.ts';
import { readJson, readJsonl, writeJsonl } from '#shared/storage/jsonl.ts';
import type { Json } from '#shared/storage/ports.ts';
import { budgetExhausted } from '#shared/task/errors.ts';
import { executionName } from '#shared/task/envelope.ts';
import { jobStore } from '#shared/task/job-store.ts';
import type { Job } from '#shared/task/jobs.ts';
import { bindPlaceholders, placeholdersOf } from '#shared/task/placeholders.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { newJob } from '#test/support/jobs.ts';
import { embeddedRuntime } from '#test/support/runtime.ts';

/** What a stand-in for inference answers: an output, an error, or `stop` once the budget is gone. */
export type Answer = { output: unknown } | { error: InferErrorCode; raw?: string } | 'stop';

/** The real machine, engine and tasks; only the inference task is a stand-in, which counts what it is asked. */
export interface Machine {
  runtime: Runtime;
  /** Requests answered, in order. */
  calls: { role: string; id: string; request: InferRequest }[];
  run(input: Json, options?: { jobId?: string; model?: string }): Promise<Done>;
  close(): Promise<void>;
}

export interface Done {
  job: Job;
  jobId: string;
  records: (QaRecord & { sourceText?: string })[];
  rejects: Reject[];
  manifest: { content: Record<string, never>; run: Record<string, never> };
  /** SHA-256 of every file of output/data. */
  hashes: Record<string, string>;
}

const WORKFLOW = 'dataset-synthesis';
const ARN = (task: string): string =>
  `arn:aws:lambda:us-east-1:000000000000:function:agentmill-${WORKFLOW}-${task}`;

/** Plays a request's role by its builtin algorithm: for whatever a test does not decide itself. */
export async function builtinAnswer(request: InferRequest): Promise<Answer> {
  const role = (await roleOf(request.role.name))!;
  return { output: await role.builtin!(request.input, seededRng(request.role.version, request.input)) };
}

/** What a test does around every task: `invoke` runs it. */
export type Around = (task: string, event: Json, invoke: () => Promise<Json>) => Promise<Json>;

export async function openMachine(
  answer: (role: string, request: InferRequest) => Answer | Promise<Answer>,
  around: Around = (_task, _event, invoke) => invoke(),
): Promise<Machine> {
  const test = await embeddedRuntime();
  const { runtime } = test;
  const calls: Machine['calls'] = [];
  const cache = new Map<string, InferResult>();

  const infer = async (event: Json): Promise<Json> => {
    const { requests, prefix, taskToken } = event as Record<string, string> & { requests: { key: string } };
    const results: InferResult[] = [];
    for await (const { value } of readJsonl(runtime.artifacts, requests!.key)) {
      const request = value as InferRequest;
      const role = request.role.name.split('/')[1]!;
      const { id, meta: _meta, ...keyed } = request;
      const cacheKey = hashOf(keyed);
      const known = cache.get(cacheKey);
      if (known) {
        results.push({ ...known, id });
        continue;
      }
      const said = await answer(role, request);
      if (said === 'stop') {
        await writeJsonl(runtime.artifacts, `${prefix}/part-0000000-${results.length}.jsonl`, results);
        const error = budgetExhausted('The budget is used up.');
        await engine.sendTaskFailure(taskToken!, { error: error.name, cause: error.message });
        return {};
      }
      calls.push({ role, id, request });
      const result = resultOf(request, said, cacheKey);
      if (result.status === 'ok') cache.set(cacheKey, result);
      results.push(result);
    }
    const ref = await writeJsonl(runtime.artifacts, `${prefix}/results.jsonl`, results);
    await engine.sendTaskSuccess(taskToken!, {
      results: ref as unknown as Json,
      rejects: ref as unknown as Json,
      counts: { total: results.length },
      costMicros: 0,
      done: true,
    });
    return {};
  };
  const host = createTaskHost({
    catalog: catalog as never,
    runtime,
    extraFunctions: { [`agentmill-${WORKFLOW}-infer`]: infer as never },
  });
  const engine = createEngine({
    store: ':memory:',
    clock: runtime.clock,
    artifactsOf: (bucket) => runtime.bucket(bucket),
    records: runtime.records,
    queueOf: () => undefined,
    invoke: (name, event, options) => {
      const task = name.split(':').at(-1)!.slice(`agentmill-${WORKFLOW}-`.length);
      return around(task, event, () => host.invoke(name, event, options as never));
    },
  });
  await engine.resume();
  const entry = catalog.find(({ name }) => name === WORKFLOW)!;
  const text = readFileSync(join(import.meta.dirname, '../../../statemachines', entry.definition), 'utf8');
  const values = { functionArn: ARN, bucketName: runtime.artifacts.bucket, machineArn: () => '' };
  const made = engine.createMachine(WORKFLOW, bindPlaceholders(text, placeholdersOf(entry, values)));
  if (made.result !== 'OK') throw new Error(JSON.stringify(made.diagnostics));

  return {
    runtime,
    calls,
    async run(input, options = {}) {
      const store = jobStore(runtime);
      let jobId = options.jobId;
      let attempt = 1;
      if (jobId === undefined) {
        jobId = newJobId(WORKFLOW);
        await store.create(
          newJob(jobId, { input, ...(options.model === undefined ? {} : { model: options.model }) }),
        );
      } else {
        const stored = await store.require(jobId);
        attempt = stored.job.attempt + 1;
        await store.reopen(stored, { attempt });
      }
      const { executionArn } = await engine.start({
        machine: WORKFLOW,
        name: executionName(jobId, attempt),
        input: { job: { jobId, workflow: WORKFLOW, attempt }, input },
      });
      await engine.wait(executionArn);
      return readDone(runtime, jobId);
    },
    async close() {
      await engine.close();
      await host.close();
      await test.close();
    },
  };
}

function resultOf(request: InferRequest, said: Exclude<Answer, 'stop'>, cacheKey: string): InferResult {
  const rejected =
    'error' in said &&
    ['TRUNCATED', 'PARSE_ERROR', 'SCHEMA_INVALID', 'EMPTY', 'CONTENT_FILTERED'].includes(said.error);
  return {
    id: request.id,
    status: 'output' in said ? 'ok' : rejected ? 'rejected' : 'failed',
    finish: 'stop',
    text: 'output' in said ? JSON.stringify(said.output) : (said.raw ?? ''),
    ...('output' in said ? { output: said.output } : {}),
    repairs: [],
    role: request.role,
    model: request.model,
    provider: request.model === 'builtin' ? 'builtin' : 'openai',
    tokens: { input: 10, output: 5 },
    cacheKey,
    ...('error' in said
      ? {
          error: {
            code: said.error,
            message: said.error,
            retryable: !rejected,
            ...(said.raw === undefined ? {} : { raw: said.raw }),
          },
        }
      : {}),
  };
}

async function lines<T>(runtime: Runtime, key: string): Promise<T[]> {
  const all: T[] = [];
  try {
    for await (const { value } of readJsonl(runtime.artifacts, key)) all.push(value as T);
  } catch (error) {
    if ((error as Error).name !== 'NotFound') throw error;
  }
  return all;
}

async function readDone(runtime: Runtime, jobId: string): Promise<Done> {
  const keys = keysOf(jobId);
  const { job } = await jobStore(runtime).require(jobId);
  const { objects } = await runtime.artifacts.list({ prefix: keys.output('data/') });
  const hashes: Record<string, string> = {};
  const records: Done['records'] = [];
  for (const { key } of objects) {
    hashes[key.slice(keys.output('').length)] = (await runtime.artifacts.head(key)).sha256!;
    if (key.endsWith('.jsonl')) records.push(...(await lines<QaRecord>(runtime, key)));
  }
  const manifest = await readJson(runtime.artifacts, keys.output('manifest.json')).catch(() => ({
    content: {},
    run: {},
  }));
  return {
    job,
    jobId,
    records,
    rejects: await lines<Reject>(runtime, keys.output('rejects.jsonl')),
    manifest: manifest as Done['manifest'],
    hashes,
  };
}
