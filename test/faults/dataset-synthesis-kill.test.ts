import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { seededRng } from '#shared/determinism/rng.ts';
import { goodAnswer } from '#test/e2e/bridge-answers.ts';
import { chatStub } from '#test/e2e/chat-stub.ts';
import { bridge, jsonl } from '#test/functions/dataset-synthesis/bridges.ts';
import { stubModels } from '#test/support/chat-server.ts';
import { answeredIn, dataOf, jobIdIn, keysIn, killedJob, life, rowsOf, type Moments } from './killed-job.ts';

const KILLS = 20;
const KILLS_A_JOB = 10;

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

/** The command that runs a job over documents. */
function runOf(documents: string): string[] {
  const file = join(freshDirectory(), 'documents.jsonl');
  writeFileSync(file, documents);
  return [
    ...['run', 'dataset-synthesis', '--file', file],
    // Several children of every map, and several parts of the output.
    ...['--set', 'batch.documentsPerShard=5', '--set', 'batch.pairsPerShard=10'],
    ...['--set', 'output.recordsPerPart=10'],
  ];
}

/** What a run that nobody disturbs gives. */
async function undisturbed(run: string[], env: Record<string, string> = {}) {
  const dataDir = freshDirectory();
  const { code, notes, statements } = await life(dataDir, run, { env });
  expect(code, notes).toBe(0);
  const jobId = jobIdIn(notes)!;
  return { data: dataOf(dataDir, jobId), keys: keysIn(await rowsOf(dataDir, jobId)), statements };
}

describe('a dataset-synthesis job whose process is killed', () => {
  it('SIGKILL at 20 random moments, `agentmill resume`: output/data byte-identical, no recorded model call repeated', async () => {
    const run = runOf(Array.from({ length: 16 }, (_, n) => `${town(n)}\n`).join(''));
    const quiet = await undisturbed(run);
    expect(Object.keys(quiet.data).length).toBeGreaterThanOrEqual(4);

    const moments: Moments = {
      rng: seededRng('dataset-synthesis-kill', 1),
      within: (2 * quiet.statements) / (KILLS_A_JOB + 1),
    };
    let kills = 0;
    for (let round = 0; kills < KILLS; round++) {
      // Moments later than the job's end kill nothing: a few more jobs than would just do.
      expect(round).toBeLessThan(3 * (KILLS / KILLS_A_JOB));
      const dataDir = freshDirectory();
      const done = await killedJob(dataDir, run, { kills: Math.min(KILLS_A_JOB, KILLS - kills), moments });
      kills += done.kills;
      expect(done.status).toBe('SUCCEEDED');
      expect(dataOf(dataDir, done.jobId)).toEqual(quiet.data);

      const rows = await rowsOf(dataDir, done.jobId);
      expect(rows.filter((row) => row.state === 'open')).toEqual([]);
      // A call is repeated only where the process died before it could record the answer.
      const answered = answeredIn(rows);
      expect(keysIn(answered).size).toBe(answered.length);
      // Every answer is in the books: as a call, or found in the cache where the call's row was lost with its process.
      expect(keysIn(rows)).toEqual(quiet.keys);
    }
    expect(kills).toBe(KILLS);
  }, 900_000);

  it('a model behind HTTP is asked again only what was on its way when the process died', async () => {
    const stub = await chatStub(async (call) => {
      await delay(20);
      return goodAnswer(call);
    });
    try {
      const models = join(freshDirectory(), 'models.json');
      writeFileSync(models, stubModels(stub.url));
      const env = { AGENTMILL_MODELS: models };
      const run = [...runOf(jsonl(Array.from({ length: 12 }, (_, n) => bridge(n)))), '--model', 'stub'];
      const quiet = await undisturbed(run, env);
      expect(stub.answered).toHaveLength(12 * 6);
      stub.requests.length = 0;

      const dataDir = freshDirectory();
      const moments: Moments = { rng: seededRng('dataset-synthesis-kill', 2), within: quiet.statements / 2 };
      const done = await killedJob(dataDir, run, { kills: 5, moments, env });
      expect(done.kills).toBeGreaterThan(0);
      expect(done.status).toBe('SUCCEEDED');
      expect(dataOf(dataDir, done.jobId)).toEqual(quiet.data);

      const rows = await rowsOf(dataDir, done.jobId);
      const answered = answeredIn(rows);
      expect(keysIn(answered).size).toBe(answered.length);
      expect(keysIn(rows)).toEqual(quiet.keys);
      // What left is in the books before it leaves: what died on its way stands there without an answer.
      const lost = rows.filter((row) => row.state === 'open' || row.outcome === 'lapsed').length;
      expect(stub.requests.length - new Set(stub.requests.map(({ body }) => body)).size).toBeLessThanOrEqual(
        lost,
      );
      expect(lost).toBeLessThanOrEqual(8 * done.kills);
    } finally {
      await stub.close();
    }
  }, 900_000);
});
