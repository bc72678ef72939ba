import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { loadSteps, loadTexts } from '#functions/deep-research/run/store.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { openEmbedded } from '#shared/storage/embedded/index.ts';
import {
  researchStub,
  RIVERS,
  riverCorpus,
  researchModels,
  toolCall,
  type ResearchStub,
} from '#test/e2e/research-stub.ts';
import { answeredIn, jobIdIn, killedJob, life, rowsOf, type Moments } from './killed-job.ts';

const STEPS = 100;
const KILLS = 4;
const OUTPUTS = [
  'answers.jsonl',
  'runs.jsonl',
  'groups.jsonl',
  'rewards.jsonl',
  'questions.jsonl',
  'steps.jsonl',
];

const directories: string[] = [];
let stub: ResearchStub | undefined;
afterEach(async () => {
  await stub?.close();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'agentmill-research-kill-'));
  directories.push(directory);
  return directory;
}

/** The agent looks about, cleans its memory now and then, and answers at step 100. */
function script(step: number): string {
  if (step >= STEPS)
    return '<answer>930 km<citations>[{"url": "corpus://danube", "quote": "Length: 930 km"}]</citations></answer>';
  if (step % 25 === 0)
    return toolCall('clean_memory', { content: `Up to step ${step}: the Danube has 930 km.` });
  if (step % 7 === 0) return 'I wonder what to do.';
  if (step % 3 === 0)
    return toolCall('browse_page', { url: `corpus://${RIVERS[step % RIVERS.length]!.toLowerCase()}` });
  return toolCall('search_internet', { query: `river ${step}` });
}

const outputsOf = (dataDir: string, jobId: string): Record<string, string> =>
  Object.fromEntries(
    OUTPUTS.map((name) => [
      name,
      readFileSync(join(dataDir, 'objects/agentmill-local/jobs', jobId, 'output', name), 'utf8'),
    ]),
  );

/** Every committed step of the job's one run, with what its references hold, times aside. */
async function stepsOf(dataDir: string, jobId: string): Promise<unknown[]> {
  const embedded = openEmbedded({ dataDir });
  try {
    const { runId } = JSON.parse(outputsOf(dataDir, jobId)['runs.jsonl']!) as { runId: string };
    const steps = await loadSteps(embedded.records, jobId, runId);
    return await Promise.all(
      steps.map(async ({ n, call, parse, outcome, ...step }) => {
        const { reply, observation } = await loadTexts(embedded.artifacts(), {
          n,
          call,
          parse,
          outcome,
          ...step,
        } as never);
        return { n, call, parse, outcome, text: reply.text, observation: observation?.observation };
      }),
    );
  } finally {
    await embedded.close();
  }
}

describe('a research run whose process is killed', () => {
  it('[deep-research 17] kill -9 at random moments of 100 steps: nothing executed or charged twice, the output identical', async () => {
    stub = await researchStub(({ step }) => script(step ?? STEPS), { delayMs: 2 });
    const dir = freshDirectory();
    const models = join(dir, 'models.json');
    writeFileSync(models, researchModels(stub.url));
    writeFileSync(join(dir, 'rivers.jsonl'), riverCorpus());
    const input = join(dir, 'job.json');
    writeFileSync(
      input,
      JSON.stringify({
        questions: [{ text: 'How long is the Danube?', gold: '930 km' }],
        corpus: { ref: { key: join(dir, 'rivers.jsonl') }, index: 'lexical' },
        asOf: '2026-01-01',
      }),
    );
    const run = ['run', 'deep-research', '--input', input, '--model', 'stub'];
    const env = { AGENTMILL_MODELS: models };

    const quietDir = freshDirectory();
    const quiet = await life(quietDir, run, { env });
    expect(quiet.code, quiet.notes).toBe(0);
    const quietJob = jobIdIn(quiet.notes)!;
    const expected = outputsOf(quietDir, quietJob);
    const steps = await stepsOf(quietDir, quietJob);
    expect(steps).toHaveLength(STEPS);
    expect(JSON.parse(expected['answers.jsonl']!)).toMatchObject({
      reward: 1,
      citations: [{ status: 'verified' }],
    });

    const moments: Moments = {
      rng: seededRng('deep-research-kill', 1),
      within: (2 * quiet.statements) / (KILLS + 1),
    };
    let kills = 0;
    for (let round = 0; kills < KILLS; round++) {
      expect(round).toBeLessThan(4);
      const dataDir = freshDirectory();
      const before = stub.answered.length;
      const killed = await killedJob(dataDir, run, { kills: KILLS, moments, env });
      kills += killed.kills;
      expect(outputsOf(dataDir, killed.jobId)).toEqual(expected);
      // Every step once, with the very replies and observations of the undisturbed run.
      expect(await stepsOf(dataDir, killed.jobId)).toEqual(steps);
      // No call whose answer was recorded is made or charged again; at most one a kill was on its way.
      const answered = answeredIn(await rowsOf(dataDir, killed.jobId)).filter(
        ({ model }) => model === 'stub',
      );
      expect(new Set(answered.map(({ cacheKey }) => cacheKey)).size).toBe(answered.length);
      expect(answered).toHaveLength(STEPS);
      expect(stub.answered.length - before).toBeLessThanOrEqual(STEPS + killed.kills);
    }
  }, 300_000);
});
