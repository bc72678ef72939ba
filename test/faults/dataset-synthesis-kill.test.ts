import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { readOwner } from '#local/platform.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { ledgerRows } from '#shared/models/ledger.ts';
import type { LedgerRow } from '#shared/models/types.ts';
import { openEmbedded } from '#shared/storage/embedded/index.ts';
import { jobStore } from '#shared/task/job-store.ts';
import type { Runtime } from '#shared/task/runtime.ts';

const ROOT = join(import.meta.dirname, '../..');
const KILLS = 20;
const KILLS_A_JOB = 5;

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'agentmill-synthesis-kill-'));
  directories.push(directory);
  return directory;
}

const TRADES = ['wool', 'cheese', 'slate', 'cider', 'rope', 'salt'];

/** A town of its own: a few lines of prose and a profile. */
function town(n: number): string {
  const name = `${['Arn', 'Bel', 'Cor', 'Dun', 'Esk', 'Fal'][n % 6]}${['wick', 'ford', 'stead', 'bury', 'ham'][n % 5]}`;
  const trade = TRADES[n % TRADES.length]!;
  const text = [
    `${name} is a market town on the River ${name.slice(0, 3)}e that grew around a toll bridge and its weekly market.`,
    `${name} Bridge was built in ${1600 + n * 7} by the mason Edwin Hale, and its tower is ${20 + n} metres high.`,
    `The grammar school of ${name} was founded in ${1550 + n * 3} and teaches about ${300 + n * 11} pupils from the valley.`,
    `Farmers from the hills still sell ${trade} on the square, where the old market hall has stood since ${1700 + n}.`,
    '',
    `Area: ${10 + n} sq km`,
    `Population: ${(5000 + n * 371).toLocaleString('en')}`,
    `Elevation: ${50 + n * 9} m`,
    `Main product: ${trade}`,
  ].join('\n');
  return JSON.stringify({ id: `town-${n}`, title: name, text, licence: 'CC0-1.0' });
}

interface Life {
  /** The exit code; null when it was killed. */
  code: number | null;
  /** What it printed to stderr. */
  notes: string;
  /** What it printed to stdout. */
  out: string;
  /** Milliseconds from when it owned its data directory to its end. */
  worked: number;
}

/**
 * Runs the real command in a process of its own, and kills it `after` ms from when it owns its data directory: before
 * that it only loads its code.
 */
async function life(dataDir: string, args: string[], after?: number): Promise<Life> {
  const child = spawn(
    process.execPath,
    [join(ROOT, 'cli/main.ts'), ...args, '--data-dir', dataDir, '--json'],
    {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let notes = '';
  let out = '';
  child.stderr.on('data', (chunk: Buffer) => (notes += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  let over = false;
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      over = true;
      resolve(code);
    });
  });
  while (!over && readOwner(dataDir)?.pid !== child.pid) await delay(5);
  const began = performance.now();
  if (after !== undefined) {
    await Promise.race([delay(after), ended]);
    if (!over) child.kill('SIGKILL');
  }
  const code = await ended;
  return { code, notes, out, worked: performance.now() - began };
}

/** What the killed and resumed job left, read once nobody works on it. */
async function left(dataDir: string, jobId: string) {
  const embedded = openEmbedded({ dataDir });
  try {
    const rows = [];
    for await (const row of ledgerRows(embedded.records, jobId)) rows.push(row);
    return { rows, ...(await stateOf(embedded, jobId)) };
  } finally {
    await embedded.close();
  }
}

/** The newest job of a data directory, as its record has it. */
async function stateOf(embedded: ReturnType<typeof openEmbedded>, jobId: string) {
  const store = jobStore({
    records: embedded.records,
    artifacts: embedded.artifacts(),
    clock: { now: () => Date.now() },
  } as unknown as Runtime);
  return { job: (await store.require(jobId)).job };
}

/** Name and SHA-256 of every file below `output/data`. */
function dataOf(dataDir: string, jobId: string): Record<string, string> {
  const folder = join(dataDir, 'objects', 'agentmill-local', 'jobs', jobId, 'output', 'data');
  return Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex'),
      ]),
  );
}

const jobIdIn = (notes: string): string | undefined => /Job (\S+) \(embedded\)/.exec(notes)?.[1];

describe('a dataset-synthesis job whose process is killed', () => {
  it('SIGKILL at 20 random moments, `agentmill resume`: output/data byte-identical, no recorded model call repeated', async () => {
    const documents = join(freshDirectory(), 'towns.jsonl');
    writeFileSync(documents, Array.from({ length: 30 }, (_, n) => `${town(n)}\n`).join(''));
    const run = [
      ...['run', 'dataset-synthesis', '--file', documents],
      // Several children of every map, and several parts of the output.
      ...['--set', 'batch.documentsPerShard=5', '--set', 'batch.pairsPerShard=10'],
      ...['--set', 'output.recordsPerPart=20'],
    ];

    const quietDir = freshDirectory();
    const quiet = await life(quietDir, run);
    expect(quiet.code, quiet.notes).toBe(0);
    const quietJob = jobIdIn(quiet.notes)!;
    const expected = dataOf(quietDir, quietJob);
    const keysOf = (rows: readonly LedgerRow[]): Set<string> => new Set(rows.map((row) => row.cacheKey));
    const expectedCalls = keysOf((await left(quietDir, quietJob)).rows);
    expect(Object.keys(expected).length).toBeGreaterThanOrEqual(4);

    const rng = seededRng('dataset-synthesis-kill', 1);
    let kills = 0;
    // Moments are drawn from here; narrowed where the machine has become faster than it was in the quiet run.
    let within = (2 * quiet.worked) / (KILLS_A_JOB + 1);
    for (let round = 0; kills < KILLS; round++) {
      // Moments later than the job's end kill nothing: a few more jobs than would just do.
      expect(round).toBeLessThan(3 * (KILLS / KILLS_A_JOB));
      const dataDir = freshDirectory();
      let jobId: string | undefined;
      let last: Life | undefined;
      for (let k = 0; k < KILLS_A_JOB && kills < KILLS; k++) {
        last = await life(dataDir, jobId ? ['resume', jobId] : run, rng.next() * within);
        if (last.code === null) kills++;
        else {
          expect(last.code, last.notes).toBe(0);
          within *= 0.7;
        }
        // Killed before there was a job: the next process starts it.
        jobId ??= jobIdIn(last.notes) ?? knownJob(dataDir);
        if (last.code === 0) break;
      }
      if (last?.code !== 0) {
        last = await life(dataDir, jobId ? ['resume', jobId] : run);
        jobId ??= jobIdIn(last.notes);
        expect(last.code, last.notes).toBe(0);
      }
      expect(JSON.parse(last.out)).toMatchObject({ jobId, status: 'SUCCEEDED' });
      expect(dataOf(dataDir, jobId!)).toEqual(expected);

      const { rows, job } = await left(dataDir, jobId!);
      expect(job.status).toBe('SUCCEEDED');
      expect(rows.filter((row) => row.state === 'open')).toEqual([]);
      // A call is repeated only where the process died before it could record the answer.
      const answered = rows.filter((row) => row.kind !== 'cache' && row.outcome === 'ok');
      expect(keysOf(answered).size).toBe(answered.length);
      // Every answer is in the books: as a call, or found in the cache where the call's row was lost with its process.
      expect(keysOf(rows)).toEqual(expectedCalls);
    }
    expect(kills).toBe(KILLS);
  }, 300_000);
});

/** The job whose folder a data directory has, when its process died before it could name it. */
function knownJob(dataDir: string): string | undefined {
  try {
    return readdirSync(join(dataDir, 'objects', 'agentmill-local', 'jobs'))[0];
  } catch {
    return undefined;
  }
}
