import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { systemClock } from '#shared/determinism/clock.ts';
import { randomIds } from '#shared/determinism/ids.ts';
import type { Rng } from '#shared/determinism/rng.ts';
import { ledgerRows } from '#shared/models/ledger.ts';
import type { LedgerRow } from '#shared/models/types.ts';
import { openEmbedded } from '#shared/storage/embedded/index.ts';
import { jobStore } from '#shared/task/job-store.ts';
import { isTerminal, type Job, type JobStatus } from '#shared/task/jobs.ts';

/** Jobs run by the real command in processes that are killed. */

const ROOT = join(import.meta.dirname, '../..');

export interface Life {
  /** The exit code; null when it was killed. */
  code: number | null;
  /** What it printed to stderr. */
  notes: string;
  /** What it printed to stdout. */
  out: string;
  /** How many SQLite statements it ran; 0 where it was killed. */
  statements: number;
}

export interface LifeOptions {
  /** It is killed at this SQLite statement, or a moment later. */
  dieAt?: { statement: number; afterMs?: number } | undefined;
  env?: Record<string, string> | undefined;
}

/** Runs the real command in a process of its own, which is killed (SIGKILL) at the moment it is told. */
export async function life(dataDir: string, args: string[], { dieAt, env }: LifeOptions = {}): Promise<Life> {
  const scratch = mkdtempSync(join(tmpdir(), 'agentmill-life-'));
  const countFile = join(scratch, 'statements');
  const child = spawn(
    process.execPath,
    [
      ...['--import', join(import.meta.dirname, 'die-at-statement.ts')],
      ...[join(ROOT, 'cli/main.ts'), ...args, '--data-dir', dataDir, '--json'],
    ],
    {
      cwd: ROOT,
      env: {
        ...process.env,
        ...env,
        STATEMENTS_FILE: countFile,
        ...(dieAt && { DIE_AT_STATEMENT: String(dieAt.statement) }),
        ...(dieAt?.afterMs !== undefined && { DIE_AFTER_MS: String(dieAt.afterMs) }),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let notes = '';
  let out = '';
  child.stderr.on('data', (chunk: Buffer) => (notes += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  const statements = existsSync(countFile) ? Number(readFileSync(countFile, 'utf8')) : 0;
  rmSync(scratch, { recursive: true });
  return { code, notes, out, statements };
}

/** Every ledger row of a job, read once nobody works on it. */
export async function rowsOf(dataDir: string, jobId: string): Promise<LedgerRow[]> {
  const embedded = openEmbedded({ dataDir });
  try {
    const rows = [];
    for await (const row of ledgerRows(embedded.records, jobId)) rows.push(row);
    return rows;
  } finally {
    await embedded.close();
  }
}

/** Settled rows of calls that were answered, and the keys all rows are for. */
export const answeredIn = (rows: readonly LedgerRow[]): LedgerRow[] =>
  rows.filter((row) => row.kind !== 'cache' && row.outcome === 'ok' && row.state === 'settled');
export const keysIn = (rows: readonly LedgerRow[]): Set<string> => new Set(rows.map((row) => row.cacheKey));

/** Name and SHA-256 of every file below `output/data`. */
export function dataOf(dataDir: string, jobId: string): Record<string, string> {
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

export const jobIdIn = (notes: string): string | undefined => /Job (\S+) \(embedded\)/.exec(notes)?.[1];

/** Moments to be killed at: drawn from the first `within` statements, which narrows where jobs end before them. */
export interface Moments {
  rng: Rng;
  within: number;
}

/** A moment at random: at a statement, or up to 5 ms after it, when calls and files are on their way. */
function momentOf({ rng, within }: Moments): NonNullable<LifeOptions['dieAt']> {
  const statement = rng.below(Math.max(1, Math.round(within)));
  return rng.next() < 0.5 ? { statement } : { statement, afterMs: rng.below(6) };
}

/**
 * Runs a job, kills its process at up to so many moments, each time resuming it with `agentmill resume`, and lets it
 * end.
 */
export async function killedJob(
  dataDir: string,
  run: string[],
  options: { kills: number; moments: Moments; env?: Record<string, string> },
): Promise<{ jobId: string; status: string; kills: number }> {
  const { moments, env } = options;
  let jobId: string | undefined;
  for (let kills = 0; ;) {
    const dieAt = kills < options.kills ? momentOf(moments) : undefined;
    const last = await life(dataDir, jobId ? ['resume', jobId] : run, { dieAt, env });
    // Killed before there was a job: the next process starts it.
    jobId ??= jobIdIn(last.notes) ?? knownJob(dataDir);
    if (last.code === null) {
      kills++;
      // Killed after its job ended and before it could say so: nothing is left to resume.
      const status = jobId && (await statusOf(dataDir, jobId));
      if (jobId && status && isTerminal(status)) return { jobId, status, kills };
    } else {
      expect(last.code, last.notes).toBe(0);
      if (dieAt) moments.within *= 0.7;
      return { jobId: jobId!, status: (JSON.parse(last.out) as Job).status, kills };
    }
  }
}

async function statusOf(dataDir: string, jobId: string): Promise<JobStatus | undefined> {
  const embedded = openEmbedded({ dataDir });
  try {
    const { records } = embedded;
    return (await jobStore({ records, clock: systemClock, ids: randomIds }).get(jobId))?.job.status;
  } finally {
    await embedded.close();
  }
}

/** The job whose folder a data directory has, when its process died before it could name it. */
function knownJob(dataDir: string): string | undefined {
  try {
    return readdirSync(join(dataDir, 'objects', 'agentmill-local', 'jobs'))[0];
  } catch {
    return undefined;
  }
}
