import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { seededRng } from '#shared/determinism/rng.ts';
import { randomIds } from '#shared/determinism/ids.ts';
import { systemClock } from '#shared/determinism/clock.ts';
import type { LedgerRow } from '#shared/models/types.ts';
import { openEmbedded } from '#shared/storage/embedded/index.ts';
import { jobStore } from '#shared/task/job-store.ts';
import { questionsStub, type QuestionsStub } from '#test/e2e/questions-stub.ts';
import { researchModels } from '#test/e2e/research-stub.ts';
import { answeredIn, jobIdIn, keysIn, killedJob, life, rowsOf, type Moments } from './killed-job.ts';

const KILLS = 4;
const OUTPUTS = ['questions.jsonl', 'rejects.jsonl', 'train.parquet', 'test.parquet', 'README.md'];
const CORPUS = join(import.meta.dirname, '../../examples/research-questions/corpus.jsonl');

const directories: string[] = [];
let stub: QuestionsStub | undefined;
afterEach(async () => {
  await stub?.close();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'agentmill-questions-kill-'));
  directories.push(directory);
  return directory;
}

const outputsOf = (dataDir: string, jobId: string): Record<string, string> =>
  Object.fromEntries(
    OUTPUTS.map((name) => [
      name,
      readFileSync(join(dataDir, 'objects/agentmill-local/jobs', jobId, 'output', name), 'latin1'),
    ]),
  );

/** The job's ledger and its solvers', and in which states those are. */
async function booksOf(dataDir: string, jobId: string): Promise<{ rows: LedgerRow[]; solvers: string[] }> {
  const embedded = openEmbedded({ dataDir });
  const solvers: string[] = [];
  let children: string[];
  try {
    const store = jobStore({ records: embedded.records, clock: systemClock, ids: randomIds });
    children = await store.children(jobId);
    for (const child of children) solvers.push((await store.require(child)).job.status);
  } finally {
    await embedded.close();
  }
  const rows: LedgerRow[] = [];
  for (const id of [jobId, ...children]) rows.push(...(await rowsOf(dataDir, id)));
  return { rows, solvers };
}

describe('a research-questions job whose process is killed', () => {
  it('kill -9 in its rounds, its solvers and its end: the same bytes, nothing paid twice', async () => {
    stub = await questionsStub();
    const dir = freshDirectory();
    const models = join(dir, 'models.json');
    writeFileSync(models, researchModels(stub.url));
    const input = join(dir, 'job.json');
    writeFileSync(
      input,
      JSON.stringify({
        corpus: { ref: { key: CORPUS }, index: 'lexical', entityNoun: 'river' },
        count: 6,
        oversample: 2,
        reports: 1,
        hops: { min: 1, max: 2 },
        solverRuns: 2,
        closedBookTries: 1,
      }),
    );
    // Enough for the worst case of calls that died on their way, whose reservations stand for minutes.
    const run = ['run', 'research-questions', '--input', input, '--model', 'stub', '--budget', '100'];
    const env = { AGENTMILL_MODELS: models };

    const quietDir = freshDirectory();
    const quiet = await life(quietDir, run, { env });
    expect(quiet.code, quiet.notes).toBe(0);
    const expected = outputsOf(quietDir, jobIdIn(quiet.notes)!);
    const { rows: quietRows, solvers } = await booksOf(quietDir, jobIdIn(quiet.notes)!);
    expect(solvers).toEqual(['SUCCEEDED', 'SUCCEEDED']);
    expect(answeredIn(quietRows).length).toBe(stub.answered.length);
    stub.answered.length = 0;

    const moments: Moments = {
      rng: seededRng('research-questions-kill', 1),
      within: (2 * quiet.statements) / (KILLS + 1),
    };
    const dataDir = freshDirectory();
    const killed = await killedJob(dataDir, run, { kills: KILLS, moments, env });
    expect(killed.kills).toBeGreaterThan(0);
    expect(outputsOf(dataDir, killed.jobId)).toEqual(expected);
    expect(killed.status).toBe('SUCCEEDED');

    // No call whose answer was recorded is made or charged again.
    const { rows } = await booksOf(dataDir, killed.jobId);
    const answered = answeredIn(rows);
    expect(keysIn(answered).size).toBe(answered.length);
    expect(keysIn(rows)).toEqual(keysIn(quietRows));
    // What left is in the books before it leaves: what died on its way stands there without an answer.
    const lost = rows.filter((row) => row.state === 'open' || row.outcome === 'lapsed').length;
    const repeated = stub.answered.length - new Set(stub.answered.map(({ body }) => body)).size;
    expect(repeated).toBeLessThanOrEqual(lost);
  }, 900_000);
});
