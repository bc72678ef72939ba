import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { closeAnalyser } from '#functions/tool-library/python/analyser.ts';
import { closeSandboxes } from '#functions/tool-library/sandbox.ts';
import { catalog, definitionOf, openPlatform } from '#local/platform.ts';
import { jobControl } from '#shared/task/job-control.ts';
import type { Job } from '#shared/task/jobs.ts';
import { chatStub, type ChatStub } from '#test/e2e/chat-stub.ts';
import { armDeaths, statesOf, type StatePath } from './tool-library-deaths.ts';
import { answeredIn, keysIn, rowsOf } from './killed-job.ts';
import { KILLED_JOBS, paidReply, type KilledJob } from './tool-library-jobs.ts';

// One child at a time: where a process dies, nothing else of it is under way that would live on in this one.
vi.mock(import('node:os'), async (original) => ({ ...(await original()), availableParallelism: () => 1 }));

let dir: string;
let stub: ChatStub;
let env: Record<string, string>;
/** Platforms that died here close when they can: tasks that wait for a dead engine get ten seconds. */
const dead: Promise<void>[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'agentmill-tools-kill-'));
  stub = await chatStub(paidReply);
  const paid = {
    name: 'paid',
    provider: 'openai',
    endpoint: { url: stub.url, auth: { type: 'none' } },
    contextTokens: 65_536,
    maxOutputTokens: 16_384,
    price: [{ from: '2020-01-01', inputPerMTok: 1, outputPerMTok: 1 }],
    billing: 'token',
    limits: { rpm: 60_000, tpm: 600_000_000, concurrency: 8 },
    features: { jsonSchema: true, tools: false, streaming: false },
  };
  const models = [{ name: 'builtin', provider: 'builtin' }, paid];
  env = { AGENTMILL_MODELS: join(dir, 'models.json') };
  writeFileSync(env.AGENTMILL_MODELS!, JSON.stringify({ models, routes: [] }));
});

afterAll(async () => {
  await Promise.all(dead);
  await stub.close();
  await Promise.all([closeSandboxes(), closeAnalyser()]);
  rmSync(dir, { recursive: true, force: true });
}, 60_000);

const states = statesOf(definitionOf(catalog.find(({ name }) => name === 'tool-library')!) as { States: unknown });
const diedIn = new Set<StatePath>();
const lostIn = new Set<StatePath>();

/** One life of a platform: the job's end, or undefined where the platform died. */
async function life(dataDir: string, job: KilledJob, mortal: boolean): Promise<Job | undefined> {
  const death = Promise.withResolvers<undefined>();
  const fresh = (seen: Set<StatePath>, paths: readonly StatePath[]): boolean => {
    if (!mortal) return false;
    const size = seen.size;
    for (const path of paths) seen.add(path);
    return seen.size > size;
  };
  const disarm = armDeaths({
    before: ({ left }) => fresh(lostIn, left),
    after: ({ entered }) => fresh(diedIn, entered),
    die() {
      death.resolve(undefined);
      throw new Error('The platform dies.');
    },
  });
  const platform = await openPlatform({ dataDir, env });
  try {
    const running = platform.run('tool-library', job.input, { ...job.options, idempotencyKey: 'killed' });
    running.catch(() => {});
    return await Promise.race([running, death.promise]);
  } finally {
    await platform.drain(0);
    disarm();
    dead.push(platform.close());
  }
}

test.each(Object.entries(KILLED_JOBS))('%s', async (name, job) => {
  const t0 = performance.now();
  const quiet = join(dir, `${name} quiet`);
  const a = await life(quiet, job, false);
  const t1 = performance.now();
  console.log(name, a!.status, a!.error, a!.yields, Math.round(t1 - t0));
  const killed = join(dir, `${name} killed`);
  let lives = 0;
  let b;
  const slow = [];
  while (!b) {
    const s = performance.now();
    b = await life(killed, job, true);
    slow.push([Math.round(performance.now() - s), [...lostIn].at(-1), [...diedIn].at(-1)].join(' '));
    lives++;
  }
  console.log(lives, b.status, Math.round(performance.now() - t1), slow.filter((x) => parseInt(x) > 250));
}, 300_000);
test('all', () => {
  console.log(states.filter(({ path }) => !diedIn.has(path)));
});
