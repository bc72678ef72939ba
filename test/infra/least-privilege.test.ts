import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { catalog } from '#functions/catalog.ts';
import { definitionText } from '#functions/definitions.ts';
import type * as Host from '#local/host/index.ts';
import type * as States from '#local/states/index.ts';
import { derivedJobId } from '#shared/determinism/ids.ts';
import { checkedPlatform } from '#infra/checked.ts';
import { openPlatform, type Platform } from '#local/platform.ts';
import { withRuntime, type Runtime } from '#shared/task/runtime.ts';
import { eventClient, type Client } from '#test/support/api.ts';
import type { Artifacts } from '#shared/storage/ports.ts';
import { allowed, guarded, unused, type RequestContext, type Statement } from '#test/support/iam.ts';
import { objectRequests, requestsOf } from './machine-requests.ts';
import { ARNS, policiesOf, substitutionsOf } from './template-policies.ts';
import { buildFixture } from './fixture.ts';

/**
 * Every workflow runs on the embedded platform while each of its tasks is held to the policies that the real templates
 * give its function: what a task needs and its role lacks would stop the job on AWS, and nowhere else. The machines' own
 * roles are held to what their definitions make Step Functions ask for, both ways.
 */

// Bounds of what hangs, not of what is slow: the machine may be at work on much else.
vi.setConfig({ testTimeout: 900_000, hookTimeout: 900_000 });

const policies = new Map<string, Statement[]>();
const denied = new Set<string>();

/** The runtime as the function of that name may use it. */
function as(runtime: Runtime, functionName: string): Runtime {
  const statements = policies.get(functionName);
  if (!statements) throw new Error(`The templates have no function ${functionName}.`);
  const onDenied = (action: string, resource: string, context: RequestContext): void => {
    const about = resource.replaceAll(/\.[a-z2-7]{26}/g, '.<id>').replaceAll(/[0-9a-f]{16,}/g, '<hash>');
    denied.add(
      `${functionName}: ${action} ${about} ${JSON.stringify(context).replaceAll(/\.[a-z2-7]{26}/g, '.<id>')}`,
    );
  };
  return guarded(runtime, { statements, onDenied }, ARNS);
}

vi.mock('#local/host/index.ts', async (original) => {
  const host = await original<typeof Host>();
  return {
    ...host,
    createTaskHost(options: Host.TaskHostOptions) {
      const kept = new Map<string, Runtime>();
      const own = (self: Runtime): Runtime => {
        const name = `agentmill-dev-${self.env.AGENTMILL_WORKFLOW}-${self.env.AGENTMILL_TASK}`;
        if (!kept.has(name)) kept.set(name, as({ ...options.runtime, env: self.env } as Runtime, name));
        return kept.get(name)!;
      };
      // The host derives each task's runtime from this one, with an environment that names the task.
      const port = (name: 'artifacts' | 'records' | 'bucket' | 'queue' | 'workflows') => ({
        get(this: Runtime) {
          return own(this)[name];
        },
      });
      const runtime = Object.create(options.runtime, {
        artifacts: port('artifacts'),
        records: port('records'),
        bucket: port('bucket'),
        queue: port('queue'),
        workflows: port('workflows'),
      }) as Runtime;
      return host.createTaskHost({ ...options, runtime });
    },
  };
});

/** Objects that a workflow's machine itself read and wrote: items and results of maps. */
const mapObjects = new Map<string, Map<string, { method: 'get' | 'put'; arn: string }>>();

vi.mock('#local/states/index.ts', async (original) => {
  const states = await original<typeof States>();
  const noted = (artifacts: Artifacts): Artifacts =>
    new Proxy(artifacts, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== 'function') return value;
        return (key: string, ...rest: unknown[]): unknown => {
          if (name !== 'get' && name !== 'head' && name !== 'put')
            throw new Error(`A machine calls ${String(name)} of artifacts: say what S3 is asked for then.`);
          // The objects of a job name its workflow; a machine that used another's would lack the right to.
          const workflow = /\/([a-z-]+)\.[a-z2-7]{26}\//.exec(`/${key}`)?.[1] ?? `of ${key}`;
          const used = mapObjects.get(workflow) ?? new Map();
          mapObjects.set(workflow, used);
          used.set(`${name} ${key}`, {
            method: name === 'put' ? 'put' : 'get',
            arn: `${ARNS.bucket}/${key}`,
          });
          return (value as (...args: unknown[]) => unknown).call(target, key, ...rest);
        };
      },
    });
  return {
    ...states,
    createEngine: (options: States.EngineOptions) =>
      states.createEngine({ ...options, artifactsOf: (bucket) => noted(options.artifactsOf(bucket)) }),
  };
});

const EXAMPLES = join(import.meta.dirname, '../../examples');
let dev: ReturnType<typeof buildFixture>;
let prod: typeof dev;
let dir: string;
let platform: Platform;
const upload = async (file: string, lines?: number): Promise<string> => {
  const text = await readFile(join(EXAMPLES, file), 'utf8');
  const key = `uploads/local/${file}`;
  await platform.runtime.artifacts.put(key, lines ? text.split('\n').slice(0, lines).join('\n') : text);
  return key;
};

beforeAll(async () => {
  dev = buildFixture(checkedPlatform());
  for (const [name, statements] of policiesOf(dev.stacks)) policies.set(name, statements);
  dir = await mkdtemp(join(tmpdir(), 'agentmill-iam-'));
  platform = await openPlatform({ dataDir: dir });
});
afterAll(async () => {
  await platform.close();
  await rm(dir, { recursive: true, force: true });
});

describe('every task may do what it does', () => {
  test('dataset-synthesis', async () => {
    const sources = [
      { uri: await upload('dataset-synthesis/towns.jsonl', 4), defaults: { licence: 'CC0-1.0' } },
    ];
    const benchmarks = [{ name: 'quiz', uri: await upload('dataset-synthesis/quiz.jsonl') }];
    // As if an earlier attempt had had more to say: the job takes it back.
    const jobId = derivedJobId('dataset-synthesis', 'key', 'local', 'lp');
    const left = `jobs/${jobId}/output/data/part-00099.jsonl`;
    await platform.runtime.artifacts.put(left, '');
    const input = { sources, benchmarks, personas: { max: 1 } };
    const job = await platform.run('dataset-synthesis', input, { idempotencyKey: 'lp' });
    expect(job.jobId).toBe(jobId);
    expect(job.error).toBeUndefined();
    await expect(platform.runtime.artifacts.head(left)).rejects.toMatchObject({ name: 'NotFound' });
    expect([...denied]).toEqual([]);
  });

  test('tool-library', async () => {
    const job = await platform.run('tool-library', {
      source: await upload('tool-library/problems.jsonl', 4),
      libraryId: 'lp',
      evaluate: true,
    });
    expect(job.error).toBeUndefined();
    expect([...denied]).toEqual([]);
  });

  test('deep-research', async () => {
    const job = await platform.run('deep-research', {
      questions: { key: await upload('deep-research/questions.jsonl', 2) },
      corpus: {
        ref: { key: await upload('deep-research/corpus.jsonl') },
        index: 'lexical',
        entityNoun: 'body',
      },
      rollouts: 2,
      partial: { perQuestion: 1 },
    });
    expect(job.error).toBeUndefined();
    expect([...denied]).toEqual([]);
  });

  test('research-questions', async () => {
    const job = await platform.run('research-questions', {
      corpus: {
        ref: { key: await upload('research-questions/corpus.jsonl') },
        index: 'lexical',
        entityNoun: 'river',
      },
      count: 4,
      solverRuns: 1,
      reports: 1,
    });
    expect(job.error).toBeUndefined();
    expect([...denied]).toEqual([]);
  });
});

/** After the workflows, whose runs tell what their machines read and write. */
describe.each(catalog)('the machine $name', (entry) => {
  test.each(['dev', 'prod'])('may do in %s what it does, and nothing else', (stage) => {
    if (stage === 'prod') prod ??= buildFixture({ ...checkedPlatform(), context: { stage } });
    const { stacks } = stage === 'prod' ? prod : dev;
    const name = `agentmill-${stage}-${entry.name}`;
    const statements = policiesOf(stacks).get(name)!;
    const machine = ARNS.machine(entry.name).replace('agentmill-dev-', `agentmill-${stage}-`);
    const objects = objectRequests(mapObjects.get(entry.name)?.values() ?? []);
    const substitutions = substitutionsOf(stacks.workflows.get(entry.name)!);
    const requests = [...requestsOf(definitionText(entry), substitutions, machine), ...objects];
    expect(objects.length).toBeGreaterThan(0);
    expect(requests.filter(({ action, resource }) => !allowed(statements, action, resource))).toEqual([]);
    expect(unused(statements, requests)).toEqual([]);
  });
});

describe('the ways in may do what they do', () => {
  const entry = (task: string): Runtime => as(platform.runtime, `agentmill-dev-entry-${task}`);
  const deliver = async (detail: object, source = 'aws.s3', kind = 'Object Created'): Promise<void> => {
    const { handler } = await import('#functions/triggers/start.ts');
    const body = JSON.stringify({ source, 'detail-type': kind, detail });
    const event = { Records: [{ messageId: 'm', body }] };
    const answer = await withRuntime(entry('start'), () => handler(event as never));
    expect(answer.batchItemFailures).toEqual([]);
  };
  const dropped = (key: string, size: number) => ({
    bucket: { name: platform.bucket },
    object: { key, size, etag: 'e', 'version-id': 'v1' },
  });

  test('start: objects good and bad, endings', async () => {
    await platform.runtime.artifacts.put('ingest/dataset-synthesis/a.job.json', '{"input": ');
    await deliver(dropped('ingest/dataset-synthesis/a.job.json', 10));
    await deliver(dropped('ingest/dataset-synthesis/a.exe', 10));
    await deliver(dropped('ingest/dataset-synthesis/empty.jsonl', 0));
    await deliver(dropped('ingest/nothing-such/a.jsonl', 10));
    await platform.runtime.artifacts.put('ingest/dataset-synthesis/b.jsonl', '{"id": "1", "text": "x"}\n');
    await deliver(dropped('ingest/dataset-synthesis/b.jsonl', 25));
    const { items } = await platform.engine.list({ machine: 'dataset-synthesis' });
    await deliver(
      { executionArn: items[0]!.executionArn, status: 'ABORTED' },
      'aws.states',
      'Step Functions Execution Status Change',
    );
    expect([...denied]).toEqual([]);
  });

  test('sweeper', async () => {
    const { handler } = await import('#functions/triggers/sweep.ts');
    await withRuntime(entry('sweeper'), () => handler());
    expect([...denied]).toEqual([]);
  });

  test('completions and their sweep', async () => {
    const [{ handler: onResult }, { handler: sweep }] = await Promise.all([
      import('#functions/inference/on-result.ts'),
      import('#functions/inference/sweep.ts'),
    ]);
    const runtime = (task: string): Runtime => as(platform.runtime, `agentmill-dev-inference-${task}`);
    const body = JSON.stringify({
      source: 'aws.s3',
      'detail-type': 'Object Created',
      detail: {
        bucket: { name: platform.bucket },
        object: { key: 'async/out/none.out', size: 1, etag: 'e' },
      },
    });
    const answer = await withRuntime(runtime('on-result'), () =>
      onResult({ Records: [{ messageId: 'm', body }] }),
    );
    expect(answer.batchItemFailures).toEqual([]);
    await withRuntime(runtime('sweep'), () => sweep());
    expect([...denied]).toEqual([]);
  });

  test('api: jobs, uploads, outputs, libraries, research', async () => {
    const { createApi } = await import('#functions/api/create-api.ts');
    const call: Client = eventClient(createApi({ catalog: platform.catalog }), entry('api'));
    const ok = async (...args: Parameters<Client>): Promise<Record<string, unknown>> => {
      const { status, body } = await call(...args);
      expect(status, JSON.stringify(body)).toBeLessThan(400);
      return body as Record<string, unknown>;
    };
    const input = { sources: [{ uri: 'uploads/local/dataset-synthesis/towns.jsonl' }], personas: { max: 1 } };
    const body = { workflow: 'dataset-synthesis', input };
    const post = { method: 'POST', path: '/v1/jobs', body, headers: { 'idempotency-key': 'k' } };
    const { jobId } = (await ok(post)) as { jobId: string };
    await ok(post);
    for (const act of ['cancel', 'resume']) {
      // Whether it comes in time is no matter here.
      const { status } = await call({ method: 'POST', path: `/v1/jobs/${jobId}/${act}` });
      expect([202, 409]).toContain(status);
      await platform.settled(jobId);
    }
    for (const path of ['', '/events', '/outputs']) await ok({ path: `/v1/jobs/${jobId}${path}` });
    for (const query of [{}, { workflow: 'dataset-synthesis', status: 'SUCCEEDED' }])
      await ok({ path: '/v1/jobs', query: query as Record<string, string> });
    const file = { filename: 'a.jsonl', bytes: 1, sha256: 'a'.repeat(64), contentType: 'text/plain' };
    await ok({ method: 'POST', path: '/v1/uploads', body: { workflow: 'dataset-synthesis', ...file } });
    await ok({ path: '/v1/libraries' });
    for (const path of ['', '/versions', '/tools']) await ok({ path: `/v1/libraries/lp${path}` });
    await ok({ method: 'POST', path: '/v1/libraries/lp/search', body: { query: 'profit' } });
    const corpus = { ref: { key: 'uploads/local/deep-research/corpus.jsonl' }, index: 'lexical' };
    const question = { question: 'Who discovered Ceres?', corpus };
    const asked = (await ok({ method: 'POST', path: '/v1/research', body: question })) as { jobId: string };
    await platform.settled(asked.jobId);
    for (const path of ['', '/events']) await ok({ path: `/v1/research/${asked.jobId}${path}` });
    expect([...denied]).toEqual([]);
  });
});
