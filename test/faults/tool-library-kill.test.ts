import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { closeAnalyser } from '#functions/tool-library/python/analyser.ts';
import { closeSandboxes } from '#functions/tool-library/sandbox.ts';
import { catalog, definitionOf, openPlatform } from '#local/platform.ts';
import { executionArn } from '#local/states/index.ts';
import type { LedgerRow } from '#shared/models/types.ts';
import { executionName } from '#shared/task/envelope.ts';
import { jobControl } from '#shared/task/job-control.ts';
import type { Job } from '#shared/task/jobs.ts';
import { chatStub, type ChatStub } from '#test/e2e/chat-stub.ts';
import { stubModels } from '#test/support/chat-server.ts';
import { answeredIn, keysIn, rowsOf } from './killed-job.ts';
import type { Order } from './tool-library-child.ts';
import { armDeaths, statesOf, type Deaths, type StatePath } from './tool-library-deaths.ts';
import { KILLED_JOBS, paidReply, type KilledJob } from './tool-library-jobs.ts';

// One child at a time: where a platform dies in this process, no other task of it is under way that would live on.
vi.mock(import('node:os'), async (original) => ({ ...(await original()), availableParallelism: () => 1 }));

const LONG = 900_000;

let dir: string;
let stub: ChatStub;
let env: Record<string, string>;
/** Platforms that died here close when they can: a task that waits for a dead engine is given ten seconds. */
const dead: Promise<void>[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'agentmill-tools-kill-'));
  stub = await chatStub(paidReply);
  env = { AGENTMILL_MODELS: join(dir, 'models.json') };
  const price = [{ from: '2020-01-01', inputPerMTok: 1, outputPerMTok: 1 }];
  const paid = { name: 'paid', price, contextTokens: 65_536, maxOutputTokens: 16_384 };
  writeFileSync(env.AGENTMILL_MODELS!, stubModels(stub.url, paid));
});

afterAll(async () => {
  await Promise.all(dead);
  await stub.close();
  await Promise.all([closeSandboxes(), closeAnalyser()]);
  rmSync(dir, { recursive: true, force: true });
});

type Mortality = Pick<Deaths, 'before' | 'after'>;
const IMMORTAL: Mortality = { before: () => false, after: () => false };

/** One life of a platform in this process: the job's end, or undefined where the platform died. */
async function life(dataDir: string, job: KilledJob, mortality: Mortality): Promise<Job | undefined> {
  const death = Promise.withResolvers<undefined>();
  const disarm = armDeaths({
    ...mortality,
    die() {
      death.resolve(undefined);
      throw new Error('The platform has died.');
    },
  });
  const platform = await openPlatform({ dataDir, env });
  try {
    const running = platform.run('tool-library', job.input, {
      ...job.options,
      idempotencyKey: String(job.input.libraryId),
    });
    const ended = running.then(async (ending) => {
      await platform.engine.wait(executionArn('tool-library', executionName(ending.jobId, ending.attempt)));
      return ending;
    });
    ended.catch(() => {});
    return await Promise.race([ended, death.promise]);
  } finally {
    await platform.drain(0);
    disarm();
    dead.push(platform.close());
  }
}

/** Asks for the job's end while no platform is alive. */
async function cancel(dataDir: string): Promise<void> {
  const platform = await openPlatform({ dataDir, env, paused: true });
  await jobControl(platform.runtime, catalog).cancel(jobIdIn(dataDir));
  await platform.close();
}

/** A job through as many lives as it takes. */
async function livesOf(dataDir: string, job: KilledJob, mortality: Mortality) {
  const before = stub.answered.length;
  const { cancelIn } = job;
  let cancelled = cancelIn === undefined;
  for (let lives = 1; ; lives++) {
    let cancelling = false;
    const ended = await life(dataDir, job, {
      before: mortality.before,
      after: (turn) => {
        const mortal = mortality.after(turn);
        cancelling = !cancelled && turn.entered.includes(cancelIn!);
        return mortal || cancelling;
      },
    });
    if (ended) {
      const calls = stub.answered.slice(before).map(({ body }) => body);
      return { job: ended, lives, calls: calls.sort(), ...(await leftBy(dataDir)) };
    }
    if (cancelling) await cancel(dataDir);
    cancelled ||= cancelling;
  }
}
type Outcome = Awaited<ReturnType<typeof livesOf>>;

const rootOf = (dataDir: string): string => join(dataDir, 'objects', 'agentmill-local');
const jobIdIn = (dataDir: string): string => readdirSync(join(rootOf(dataDir), 'jobs'))[0]!;

/** What a job leaves that must not depend on how often it was killed: hashes of its files, and its ledger. */
async function leftBy(dataDir: string): Promise<{ files: Record<string, string>; rows: LedgerRow[] }> {
  const root = rootOf(dataDir);
  const files: Record<string, string> = {};
  const output = join(root, 'jobs', jobIdIn(dataDir), 'output');
  for (const folder of [output, join(root, 'libraries')]) {
    if (!existsSync(folder)) continue;
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      // Read as records below: its rows tell times, too.
      if (path === join(output, 'ledger.jsonl')) continue;
      let bytes: Buffer | string = readFileSync(path);
      // Beside the content a manifest tells of the run: times, and what came from the cache.
      if (path === join(output, 'manifest.json'))
        bytes = JSON.stringify((JSON.parse(bytes.toString()) as { content: unknown }).content);
      files[relative(root, path)] = createHash('sha256').update(bytes).digest('hex');
    }
  }
  return { files, rows: await rowsOf(dataDir, jobIdIn(dataDir)) };
}

/** A killed job has given what the quiet one gave, with the same calls: none was answered, let alone paid, once more. */
function expectSame(name: string, killed: Outcome, quiet: Outcome): void {
  expect(killed.job, name).toMatchObject({ status: quiet.job.status, yields: quiet.job.yields });
  expect(killed.files, name).toEqual(quiet.files);
  expect(killed.calls, name).toEqual(quiet.calls);
  expect(killed.job.cost.microUsd, name).toBe(quiet.job.cost.microUsd);
  expect(
    killed.rows.filter(({ state }) => state === 'open'),
    name,
  ).toEqual([]);
  const answered = answeredIn(killed.rows);
  expect(keysIn(answered).size, name).toBe(answered.length);
  expect(keysIn(killed.rows), name).toEqual(keysIn(quiet.rows));
}

let quietProblems: Outcome;

/** States that are left with the turn that does their work. */
const LOST = new Set(['Task', 'Choice']);

test(
  '[tool-library 25] killed in each state of its machine, what was done there lost: manifest and library byte-identical, nothing paid twice',
  async () => {
    const tool = catalog.find(({ name }) => name === 'tool-library')!;
    const states = statesOf(definitionOf(tool) as { States: unknown });
    const alive = new Set(states.map(({ path }) => path));
    const typeOf = new Map(states.map(({ path, type }) => [path, type]));
    const dies = (paths: readonly StatePath[]): boolean =>
      paths.filter((path) => alive.delete(path)).length > 0;
    /**
     * Dies once in each state: with what was done in it, and the choices that were made by that, not yet recorded; in
     * what starts children, passes on or ends an execution, when it has been entered.
     */
    const mortality: Mortality = {
      before: ({ left }) => dies(left.filter((path) => LOST.has(typeOf.get(path)!))),
      after: ({ entered }) => dies(entered.filter((path) => !LOST.has(typeOf.get(path)!))),
    };

    for (const [name, job] of Object.entries<KilledJob>(KILLED_JOBS)) {
      const quiet = await livesOf(join(dir, name), job, IMMORTAL);
      expect(quiet.job.status, name).toBe(job.status);
      if (job === KILLED_JOBS['solved problems']) quietProblems = quiet;
      const killed = await livesOf(join(dir, `${name}, killed`), job, mortality);
      expect(killed.lives, name).toBeGreaterThan(quiet.lives);
      expectSame(name, killed, quiet);
    }
    expect(quietProblems.calls.length).toBeGreaterThan(20);
    expect([...alive]).toEqual([]);
  },
  LONG,
);

/** A life in a process of its own. */
async function childLife(order: Order): Promise<NodeJS.Signals | null> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'tool-library-child.ts')], {
    env: { ...process.env, ...env, ORDER: JSON.stringify(order) },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return new Promise((resolve) => child.once('close', (_code, signal) => resolve(signal)));
}

test(
  '[tool-library 25] the same where whole processes are killed (SIGKILL), before and after topics and refactoring',
  async () => {
    const dataDir = join(dir, 'processes');
    const before = stub.answered.length;
    const deaths: NonNullable<Order['death']>[] = [
      { when: 'left', state: 'CreateTools/InferJudge' },
      { when: 'entered', state: 'VerifyLibrary/Verify' },
    ];
    for (const death of deaths) {
      expect(await childLife({ dataDir, job: 'solved problems', death }), death.state).toBe('SIGKILL');
    }
    const last = await livesOf(dataDir, KILLED_JOBS['solved problems'], IMMORTAL);
    const calls = stub.answered.slice(before).map(({ body }) => body);
    expectSame('processes', { ...last, calls: calls.sort() }, quietProblems);
  },
  LONG,
);
