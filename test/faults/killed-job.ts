import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { readOwner } from '#local/platform.ts';
import type { Rng } from '#shared/determinism/rng.ts';
import { ledgerRows } from '#shared/models/ledger.ts';
import type { LedgerRow } from '#shared/models/types.ts';
import { openEmbedded } from '#shared/storage/embedded/index.ts';

/** Jobs run by the real command in processes that are killed. */

const ROOT = join(import.meta.dirname, '../..');

export interface Life {
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
export async function life(
  dataDir: string,
  args: string[],
  { after, env }: { after?: number | undefined; env?: Record<string, string> | undefined } = {},
): Promise<Life> {
  const child = spawn(
    process.execPath,
    [join(ROOT, 'cli/main.ts'), ...args, '--data-dir', dataDir, '--json'],
    {
      cwd: ROOT,
      env: { ...process.env, ...env },
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

/** Moments to be killed at: drawn up to `within` ms, which narrows where jobs end before them. */
export interface Moments {
  rng: Rng;
  within: number;
}

/**
 * Runs a job, kills its process at up to so many moments, each time resuming it with `agentmill resume`, and lets it
 * end.
 */
export async function killedJob(
  dataDir: string,
  run: string[],
  options: { kills: number; moments: Moments; env?: Record<string, string> },
): Promise<{ jobId: string; summary: unknown; kills: number }> {
  const { moments, env } = options;
  let jobId: string | undefined;
  for (let kills = 0; ;) {
    const after = kills < options.kills ? moments.rng.next() * moments.within : undefined;
    const last = await life(dataDir, jobId ? ['resume', jobId] : run, { after, env });
    // Killed before there was a job: the next process starts it.
    jobId ??= jobIdIn(last.notes) ?? knownJob(dataDir);
    if (last.code === null) kills++;
    else {
      expect(last.code, last.notes).toBe(0);
      if (after !== undefined) moments.within *= 0.7;
      return { jobId: jobId!, summary: JSON.parse(last.out), kills };
    }
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
