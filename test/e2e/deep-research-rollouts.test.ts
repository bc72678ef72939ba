import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StepSample } from '#functions/deep-research/export/steps.ts';
import type { GroupRow, Reward, Run } from '#functions/deep-research/records.ts';
import { openPlatform, type Platform } from '#local/platform.ts';
import { readText } from '#shared/storage/jsonl.ts';
import type { Job } from '#shared/task/jobs.ts';

/** Groups of rollouts on the whole embedded platform, without a model: rewards, advantages, partial rollouts, exports. */

const EXAMPLES = join(import.meta.dirname, '../../examples/deep-research');
const FILES = ['answers', 'runs', 'rewards', 'groups', 'questions', 'steps'].map((name) => `${name}.jsonl`);

interface Made {
  job: Job;
  files: Record<string, string>;
  parquet: Uint8Array;
}

let dirs: string[] = [];
let made: [Made, Made];

async function rollouts(dir: string): Promise<Made> {
  const platform = await openPlatform({ dataDir: dir });
  try {
    const { artifacts } = platform.runtime;
    await artifacts.put('in/corpus.jsonl', await readFile(join(EXAMPLES, 'corpus.jsonl')));
    // Of one hop and of two: a fork needs a run of four steps.
    const questions = (await readFile(join(EXAMPLES, 'questions.jsonl'), 'utf8')).split('\n').slice(8, 16);
    await artifacts.put('in/questions.jsonl', questions.join('\n'));
    const job = await platform.run('deep-research', {
      questions: { key: 'in/questions.jsonl' },
      rollouts: 6,
      partial: { perQuestion: 1 },
      corpus: { ref: { key: 'in/corpus.jsonl' }, index: 'lexical', entityNoun: 'body' },
      asOf: '2026-01-01',
      seed: 3,
    });
    const output = (name: string): string => `jobs/${job.jobId}/output/${name}`;
    const files: Record<string, string> = {};
    for (const name of [...FILES, 'README.md']) files[name] = await readText(artifacts, output(name));
    return { job, files, parquet: await bytesOf(platform, output('questions.parquet')) };
  } finally {
    await platform.close();
  }
}

async function bytesOf(platform: Platform, key: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await platform.runtime.artifacts.get(key)).body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const rows = <T>(text: string): T[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);

beforeAll(async () => {
  dirs = [await mkdtemp(join(tmpdir(), 'agentmill-rl-')), await mkdtemp(join(tmpdir(), 'agentmill-rl-'))];
  made = [await rollouts(dirs[0]!), await rollouts(dirs[1]!)];
}, 120_000);

afterAll(async () => {
  for (const dir of dirs) await rm(dir, { recursive: true, force: true });
});

describe('groups of rollouts', () => {
  it('come out the same, byte for byte, a second time', () => {
    const [first, second] = made;
    expect(first.job.status).toBe('SUCCEEDED');
    for (const [name, text] of Object.entries(first.files))
      expect([name, second.files[name]]).toEqual([name, text]);
    expect(Buffer.compare(Buffer.from(first.parquet), Buffer.from(second.parquet))).toBe(0);
    expect(rows<Run>(first.files['runs.jsonl']!).length).toBeGreaterThanOrEqual(48);
  });

  it('have the advantages that a few lines of arithmetic give', () => {
    const groups = Map.groupBy(rows<GroupRow>(made[0].files['groups.jsonl']!), ({ groupId }) => groupId);
    const rewards = new Map(
      rows<Reward>(made[0].files['rewards.jsonl']!).map(({ runId, total }) => [runId, total]),
    );
    let checked = 0;
    for (const all of groups.values()) {
      const kept = all.filter((row) => row.kept);
      const r = kept.map(({ runId }) => rewards.get(runId)!);
      const mean = r.reduce((a, b) => a + b, 0) / r.length;
      const std = Math.sqrt(r.reduce((a, b) => a + (b - mean) ** 2, 0) / r.length);
      kept.forEach(({ advantage, T }, i) => {
        expect(Math.abs(advantage! - (r[i]! - mean) / std / T)).toBeLessThan(1e-6);
        checked++;
      });
      for (const row of all) expect(row.kept).toBe(row.dropReason === undefined);
    }
    expect(checked).toBeGreaterThan(0);
  });

  it('export one sample a step of a kept run, each a request with its raw reply', () => {
    const samples = rows<StepSample>(made[0].files['steps.jsonl']!);
    const kept = rows<GroupRow>(made[0].files['groups.jsonl']!).filter((row) => row.kept);
    expect(samples).toHaveLength(kept.reduce((sum, { T }) => sum + T, 0));
    for (const { prompt, completion } of samples) {
      expect(prompt.map(({ role }) => role)).toEqual(['system', 'user']);
      expect(completion).toHaveLength(1);
      expect(completion[0]!.content).not.toBe('');
    }
    const { run_id, T, advantage } = samples[0]!;
    const own = samples.filter((sample) => sample.run_id === run_id);
    expect(own.map(({ step }) => step - own[0]!.step)).toEqual(Array.from({ length: T }, (_, n) => n));
    expect(own.every((sample) => sample.advantage === advantage)).toBe(true);
  });

  it('[deep-research 30] partial rollouts are new groups that begin with the memory of the fork', () => {
    const runs = rows<Run>(made[0].files['runs.jsonl']!);
    const forks = runs.filter(({ parent }) => parent !== undefined);
    expect(forks.length).toBeGreaterThan(0);
    const whole = new Map(runs.filter(({ parent }) => !parent).map((run) => [run.runId, run]));
    const samples = rows<StepSample>(made[0].files['steps.jsonl']!);
    let compared = 0;
    for (const [groupId, group] of Map.groupBy(forks, (run) => run.groupId)) {
      expect(group).toHaveLength(6);
      const { parent } = group[0]!;
      const from = whole.get(parent!.runId)!;
      expect(from.groupId).not.toBe(groupId);
      expect(from.usage.steps).toBeGreaterThanOrEqual(4);
      expect(parent!.step).toBe(Math.floor(from.usage.steps / 2));
      // The parent's next prompt after the fork, and the fork's first one.
      const next = samples.find(({ run_id, step }) => run_id === from.runId && step === parent!.step + 1)!;
      for (const run of group) {
        const first = samples.find(({ run_id, step }) => run_id === run.runId && step === parent!.step + 1);
        if (!first) continue;
        expect(first.prompt).toEqual(next.prompt);
        compared++;
      }
      expect(
        samples.some(
          ({ run_id, step }) => group.some(({ runId }) => runId === run_id) && step <= parent!.step,
        ),
      ).toBe(false);
    }
    expect(compared).toBeGreaterThan(0);
  });

  it('give verl its questions, and people a card', async () => {
    const { buffer, byteOffset, byteLength } = made[0].parquet;
    const file = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
    const table = await parquetReadObjects({
      file,
      compressors: { ZSTD: (input) => zstdDecompressSync(input) },
    });
    expect(JSON.parse(JSON.stringify(table))).toEqual(rows(made[0].files['questions.jsonl']!));
    expect(table[0]).toMatchObject({ data_source: 'agentmill/deep-research', ability: 'research' });
    expect(made[0].files['README.md']).toContain('learning rate 1e-6');
    expect(made[0].files['README.md']).toContain('graded itself');
  });
});
