import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ToolLibraryInputSchema } from '#functions/tool-library/input.ts';
import { keys } from '#functions/tool-library/keys.ts';
import { handler as buildIndex } from '#functions/tool-library/tasks/build-index.ts';
import { handler as evaluate } from '#functions/tool-library/tasks/evaluate.ts';
import { handler as publish } from '#functions/tool-library/tasks/publish.ts';
import { readAlias } from '#shared/library/aliases.ts';
import { maskNumbers } from '#shared/library/evaluation.ts';
import { loadLibrary } from '#shared/library/load.ts';
import { libraryKey, readManifest } from '#shared/library/store.ts';
import type { Case, LibraryTool } from '#shared/library/types.ts';
import { readJson, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import { jobStore } from '#shared/task/job-store.ts';
import { withRuntime } from '#shared/task/runtime.ts';
import { newJob } from '#test/support/jobs.ts';
import { libraryTool, PROFIT } from '#test/support/library.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

const JOB = `tool-library.${'b'.repeat(26)}`;

const QUESTIONS: Record<string, string> = {
  [PROFIT.name]: 'A stall sells 24 roses at $3 each and pays fifteen for the pitch. What is its profit?',
  distance_by_speed: 'A train goes 60 miles an hour for 2.5 hours. How far does it go?',
};

function library(): { tools: LibraryTool[]; cases: Case[] } {
  const distance = libraryTool(
    'distance_by_speed',
    'Distance a train or bus goes at a speed for some hours.',
    'def distance_by_speed(speed, hours):\n    return speed * hours',
    { parameters: { speed: 'number', hours: 'number' }, path: ['motion'] },
  );
  const cases = Object.entries(QUESTIONS).map(([name, question]): Case => ({
    id: `c_${name}`,
    toolId: `t_source_${name}`,
    questionId: `p_${name}`,
    question,
    call: `${name}(1, 2)`,
    expected: 2,
    expectedFrom: 'gold',
    comparator: { kind: 'auto' },
  }));
  const tools = [PROFIT, distance].map((tool) => ({
    ...tool,
    mapping: [{ caseId: `c_${tool.name}`, toolId: `t_source_${tool.name}`, call: `${tool.name}(1, 2)` }],
  }));
  return { tools, cases };
}

describe('from a verified library to a published one', () => {
  let world: TestRuntime;
  let config: ArtifactRef;
  beforeEach(async () => {
    world = await embeddedRuntime();
    await jobStore(world.runtime).create(newJob(JOB));
  });
  afterEach(() => world.close());

  const run = <T>(handler: (event: unknown) => Promise<T>): Promise<T> =>
    withRuntime(world.runtime, () => handler({ jobId: JOB, config }));

  async function prepare(
    report: Record<string, unknown> = {},
    input: Record<string, unknown> = {},
  ): Promise<void> {
    const { artifacts } = world.runtime;
    const { tools, cases } = library();
    config = await writeJson(artifacts, keys.config(JOB), {
      jobId: JOB,
      input: ToolLibraryInputSchema.parse({ source: 'x.jsonl', libraryId: 'sums', ...input }),
      configHash: 'c0ffee',
    });
    await writeJsonl(artifacts, keys.library(JOB, 'tools'), tools);
    await writeJsonl(artifacts, keys.library(JOB, 'cases'), cases);
    await writeJson(artifacts, keys.report(JOB), {
      counts: { tools: 2 },
      yields: { admitted: 2 },
      losslessness: { cases: 2, passing: 2, coverage: 1 },
      partial: false,
      ...report,
    });
    await run(buildIndex);
  }

  test('the version holds its files by hash, the alias points at it, _SUCCESS is last; again is the same', async () => {
    await prepare();
    const published = await run(publish);
    expect(published).toMatchObject({
      libraryId: 'sums',
      number: 1,
      tools: 2,
      partial: false,
      alias: 'latest',
    });
    const { version } = published;
    const manifest = await readManifest(world.runtime, 'sums', version);
    expect(manifest).toMatchObject({ counts: { tools: 2 }, yields: { admitted: 2 }, configHash: 'c0ffee' });
    for (const { key, sha256, bytes } of manifest.files)
      expect(await world.runtime.artifacts.head(key)).toMatchObject({ sha256, bytes });
    expect((await readAlias(world.runtime, 'sums', 'latest'))!.version).toBe(version);
    expect((await loadLibrary(world.runtime, 'sums', version)).byName.has('distance_by_speed')).toBe(true);
    await world.runtime.artifacts.head(libraryKey('sums', version, '_SUCCESS'));
    await run(buildIndex);
    expect(await run(publish)).toEqual(published);
    expect(await readManifest(world.runtime, 'sums', version)).toEqual(manifest);
  });

  test('a partial library is a version, its alias stays', async () => {
    await prepare();
    const whole = await run(publish);
    await prepare({ partial: true });
    const partial = await run(publish);
    expect(partial).toMatchObject({ partial: true, number: 2 });
    expect(partial.alias).toBeUndefined();
    expect((await readAlias(world.runtime, 'sums', 'latest'))!.version).toBe(whole.version);
  });

  test('publish null moves no alias; another name moves that one', async () => {
    await prepare({}, { publish: null });
    expect((await run(publish)).alias).toBeUndefined();
    expect(await readAlias(world.runtime, 'sums', 'latest')).toBeUndefined();
    await prepare({}, { publish: { alias: 'stable' } });
    expect((await run(publish)).alias).toBe('stable');
  });

  test('a library that lost a case is never published', async () => {
    await prepare({ losslessness: { cases: 2, passing: 1, coverage: 0.5 } });
    await expect(run(publish)).rejects.toMatchObject({
      name: 'Defect',
      message: expect.stringContaining('0.5'),
    });
    expect(await readAlias(world.runtime, 'sums', 'latest')).toBeUndefined();
  });

  test('is evaluated by its own questions, numbers masked', async () => {
    expect(maskNumbers(QUESTIONS[PROFIT.name]!)).toBe(
      'A stall sells # roses at # each and pays # for the pitch. What is its profit?',
    );
    await prepare();
    const { questions, report } = await run(evaluate);
    expect(questions).toBe(2);
    const all = { at1: 1, at5: 1, at10: 1 };
    const best = {
      questions: 2,
      relevant: { mean: 1, most: 1 },
      recall: all,
      bound: all,
      found: all,
      chance: { at1: 0.5, at5: 1, at10: 1 },
      mrr: 1,
    };
    expect(await readJson(world.runtime.artifacts, report)).toEqual({
      relevance: 'strict',
      of: 2,
      tools: 2,
      modes: { hybrid: best, vector: best, keyword: expect.objectContaining({ questions: 2 }) },
    });
  });
});
