import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { corpusIdIn } from '#shared/research/corpus/url.ts';
import { normaliseText } from '#shared/research/facts/normalise.ts';
import { totalsOf } from '#shared/models/ledger.ts';
import type { Question } from '#shared/research/types.ts';
import { openPlatform, type Platform } from '#local/platform.ts';
import { readJsonl, readText } from '#shared/storage/jsonl.ts';
import type { Job } from '#shared/task/jobs.ts';

/** research-questions on the whole embedded platform, without a model. */

const CORPUS = join(import.meta.dirname, '../../examples/deep-research/corpus.jsonl');

let dir: string;
let platform: Platform;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'agentmill-questions-'));
  platform = await openPlatform({ dataDir: dir });
  await platform.runtime.artifacts.put('in/corpus.jsonl', await readFile(CORPUS));
});
afterAll(async () => {
  await platform.close();
  await rm(dir, { recursive: true, force: true });
});

const corpus = { ref: { key: 'in/corpus.jsonl' }, index: 'lexical', entityNoun: 'body' };
const make = (input: object): Promise<Job> =>
  platform.run('research-questions', { corpus, ...input } as never);
const output = (job: Job, name: string): Promise<string> =>
  readText(platform.runtime.artifacts, `jobs/${job.jobId}/output/${name}`);
async function readAll(key: string): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const { value } of readJsonl(platform.runtime.artifacts, key)) rows.push(value);
  return rows;
}
async function questionsOf(job: Job): Promise<Question[]> {
  return (await output(job, 'questions.jsonl'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Question);
}

describe('questions from a corpus', () => {
  it('[deep-research 29] 100 are unique by scan, quote their pages, name no hidden entity, and share no document across splits', async () => {
    const documents = new Map<string, { title: string; text: string }>();
    for await (const { value } of readJsonl(platform.runtime.artifacts, 'in/corpus.jsonl')) {
      const { id, title, markdown } = value as { id: string; title: string; markdown: string };
      documents.set(id, { title, text: markdown });
    }
    const job = await make({ count: 100, hops: { min: 1, max: 2 }, solverRuns: 0, testShare: 0.3, seed: 5 });
    expect(job.status).toBe('SUCCEEDED');
    const questions = await questionsOf(job);
    expect(questions).toHaveLength(100);
    expect(new Set(questions.map(({ text }) => text)).size).toBe(100);
    expect(questions.some(({ hops }) => hops === 2)).toBe(true);

    // A fact of the corpus by the words of its line, counted independently of the workflow's own scan.
    const lines = [...documents].flatMap(([id, { text }]) =>
      text.split('\n').flatMap((line) => {
        const fact = /^- ([^:]+): (.+)$/.exec(line);
        return fact ? [{ id, key: fact[1]!, value: fact[2]! }] : [];
      }),
    );
    const splits = new Map<string, string>();
    for (const { text, gold, evidence, hops, split } of questions) {
      const pages = evidence.map(({ url }) => corpusIdIn(url)!);
      for (const [index, { quote }] of evidence.entries()) {
        expect(documents.get(pages[index]!)!.text).toContain(quote);
      }
      for (const page of pages) {
        expect([page, splits.get(page) ?? split]).toEqual([page, split]);
        splits.set(page, split);
      }
      const normal = ` ${normaliseText(text)} `;
      expect(normal).not.toContain(` ${normaliseText(gold!)} `);
      const seed = documents.get(pages[0]!)!.title;
      if (hops === 1) {
        expect(text).toContain(seed);
        const [, key] = /^(?:- )?(?:\*\*)?([^:*]+)/.exec(evidence[0]!.quote)!;
        expect(
          lines.filter((line) => line.id === pages[0] && line.key === key!.trim()).length,
        ).toBeLessThanOrEqual(1);
      } else {
        expect(normal).not.toContain(` ${normaliseText(seed)} `);
        const quoted = /^- ([^:]+): (.+)$/.exec(evidence[1]!.quote);
        if (quoted && pages[1] === pages[0]) {
          // An attribute: no other document states it.
          const same = lines.filter((line) => line.key === quoted[1] && line.value === quoted[2]);
          expect([quoted[0], same.map(({ id }) => id)]).toEqual([quoted[0], [pages[0]]]);
        }
      }
    }
    expect(new Set(splits.values())).toEqual(new Set(['train', 'test']));
  });

  it('tries them with the agent: hardness within the band, reports with rubrics, the same a second time', async () => {
    const input = { count: 8, oversample: 1.5, reports: 2, hops: { min: 1, max: 2 }, solverRuns: 2, seed: 1 };
    const [first, second] = [await make(input), await make(input)];
    expect(first.status).toBe('SUCCEEDED');
    const questions = await questionsOf(first);
    const short = questions.filter(({ kind }) => kind === 'short');
    expect(short.length).toBeGreaterThan(0);
    for (const { hardness } of short) expect([0, 0.5]).toContain(hardness);
    const reports = questions.filter(({ kind }) => kind === 'report');
    expect(reports).toHaveLength(2);
    for (const { rubric } of reports) {
      expect(new Set(rubric!.map(({ category }) => category))).toEqual(
        new Set(['factuality', 'compliance', 'writing', 'citations']),
      );
    }
    for (const name of ['questions.jsonl', 'rejects.jsonl', 'README.md']) {
      expect(await output(second, name)).toBe(await output(first, name));
    }
  });

  it('stays within one budget with the jobs that solve for it', async () => {
    const calls = 100;
    const job = await platform.run(
      'research-questions',
      { corpus, count: 8, hops: { min: 1, max: 2 }, solverRuns: 2, seed: 1 } as never,
      { budget: { calls } },
    );
    const rows = await readAll(`jobs/${job.jobId}/rounds/0/solvers.jsonl`);
    const solvers = rows.map((row) => (row as { jobId: string }).jobId);
    const totals = await Promise.all([job.jobId, ...solvers].map((id) => totalsOf(platform.runtime, id)));
    expect(solvers.length).toBeGreaterThan(0);
    expect(totals[1]!.calls).toBeGreaterThan(0);
    expect(totals.reduce((sum, one) => sum + one.calls, 0)).toBeLessThanOrEqual(calls);
    expect(job.status).not.toBe('SUCCEEDED');
  });

  it('keeps out what shares thirteen words with what is excluded', async () => {
    const before = await make({ count: 20, solverRuns: 0, hops: { min: 2, max: 2 } });
    const [question] = (await questionsOf(before)).filter(({ text }) => text.split(' ').length >= 13);
    expect(question).toBeDefined();
    await platform.runtime.artifacts.put(
      'in/exclude.jsonl',
      `${JSON.stringify({ prompt: `Quiz: ${question!.text}` })}\n`,
    );
    const after = await make({
      count: 20,
      solverRuns: 0,
      hops: { min: 2, max: 2 },
      exclude: { key: 'in/exclude.jsonl' },
    });
    expect((await questionsOf(after)).map(({ id }) => id)).not.toContain(question!.id);
    expect(await output(after, 'rejects.jsonl')).toContain('"contaminated"');
  });

  it('says what is wrong with an input, and when nothing can be made', async () => {
    await expect(make({ hops: { min: 3, max: 2 } })).rejects.toMatchObject({
      problems: [
        { pointer: '/input/hops/min', detail: expect.stringMatching(/min must not be above max/) as string },
      ],
    });
    await platform.runtime.artifacts.put(
      'in/prose.jsonl',
      '{"title":"A","text":"Some prose without any facts."}\n',
    );
    const job = await make({ corpus: { ref: { key: 'in/prose.jsonl' }, index: 'lexical' } });
    expect(job.status).toBe('FAILED');
    expect(job.error?.detail).toMatch(/No question could be made/);
  });
});
