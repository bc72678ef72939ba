import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { seededRng } from '#shared/determinism/rng.ts';
import { answeredIn, jobIdIn, keysIn, killedJob, life, rowsOf, type Moments } from './killed-job.ts';

const KILLS = 4;

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'agentmill-tools-kill-'));
  directories.push(directory);
  return directory;
}

/** Problems of few kinds, so that some tools merge. */
const problems = Array.from({ length: 12 }, (_, n) => {
  const [good, count, price, rent] = [['muffins', 'roses', 'kites'][n % 3]!, 20 + n, 3 + (n % 4), 10 + n];
  const sales = count * price;
  return {
    question: `A stall sells ${count} ${good} at $${price} each and pays $${rent} rent. How much profit does it make?`,
    reasoning: `Sales are <<${count}*${price}=${sales}>>${sales}. Profit is <<${sales}-${rent}=${sales - rent}>>${sales - rent}.`,
    answer: String(sales - rent),
  };
});

/** Hashes of everything that equal jobs have in common: the library, the report, the published version, the manifest. */
function dataOf(dataDir: string, jobId: string): Record<string, string> {
  const root = join(dataDir, 'objects', 'agentmill-local');
  const hashes: Record<string, string> = {};
  const add = (name: string, bytes: Buffer | string): void => {
    hashes[name] = createHash('sha256').update(bytes).digest('hex');
  };
  const folders = [join(root, 'jobs', jobId, 'library'), join(root, 'libraries')];
  for (const folder of folders) {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      add(relative(root, path).replaceAll(jobId, 'job'), readFileSync(path));
    }
  }
  const output = join(root, 'jobs', jobId, 'output');
  add('report', readFileSync(join(output, 'report.json')));
  const manifest = JSON.parse(readFileSync(join(output, 'manifest.json'), 'utf8')) as { content: unknown };
  add('manifest', JSON.stringify(manifest.content));
  return hashes;
}

test('[tool-library 25] killed at random moments and resumed: library and manifest byte-identical, nothing paid twice', async () => {
  const file = join(freshDirectory(), 'problems.jsonl');
  writeFileSync(file, problems.map((problem) => `${JSON.stringify(problem)}\n`).join(''));
  const run = ['run', 'tool-library', '--file', file, '--set', 'libraryId=stalls'];

  const quietDir = freshDirectory();
  const quiet = await life(quietDir, run);
  expect(quiet.code, quiet.notes).toBe(0);
  const expected = dataOf(quietDir, jobIdIn(quiet.notes)!);
  expect(Object.keys(expected).filter((name) => name.startsWith('libraries/')).length).toBeGreaterThan(5);
  const keys = keysIn(await rowsOf(quietDir, jobIdIn(quiet.notes)!));

  const moments: Moments = {
    rng: seededRng('tool-library-kill', 1),
    within: (2 * quiet.worked) / (KILLS + 1),
  };
  const dataDir = freshDirectory();
  const done = await killedJob(dataDir, run, { kills: KILLS, moments });
  expect(done.kills).toBeGreaterThan(0);
  expect(done.summary).toMatchObject({ status: 'SUCCEEDED' });
  expect(dataOf(dataDir, done.jobId)).toEqual(expected);
  const rows = await rowsOf(dataDir, done.jobId);
  expect(rows.filter((row) => row.state === 'open')).toEqual([]);
  const answered = answeredIn(rows);
  expect(keysIn(answered).size).toBe(answered.length);
  expect(keysIn(rows)).toEqual(keys);
}, 300_000);
