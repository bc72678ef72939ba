import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Reject } from '#functions/tool-library/records.ts';
import { catalog } from '#local/platform.ts';
import { resolveVersion } from '#shared/library/aliases.ts';
import { loadLibrary } from '#shared/library/load.ts';
import { libraryKey, readManifest } from '#shared/library/store.ts';
import type { Case, LibraryTool } from '#shared/library/types.ts';
import { ledgerRows } from '#shared/models/ledger.ts';
import type { LedgerRow } from '#shared/models/types.ts';
import type { Json } from '#shared/storage/ports.ts';
import { jobControl } from '#shared/task/job-control.ts';
import { jobStore } from '#shared/task/job-store.ts';
import type { Job } from '#shared/task/jobs.ts';
import { openLibraryPlatform, type LibraryPlatform } from './tool-library-platform.ts';
import { importedPile } from './tool-pile.ts';

/** tool-library on the whole embedded platform; where a model is asked, an OpenAI-compatible server answers. */

/** Machines of tests may be busy with other things. */
const LONG = 900_000;
/** Problems of the example library, and those that extend it. */
const [FIRST, MORE] = [14, 6];
/** Problems where their number is not the point. */
const FEW = 4;

let world: LibraryPlatform;
let run: LibraryPlatform['run'];
let first: Job;
/** The first version of the library `examples`. */
let firstVersion: string;
let base: Record<string, unknown>;

beforeAll(async () => {
  world = await openLibraryPlatform();
  run = world.run;
  base = { source: await world.put('problems', (await problems()).slice(0, FIRST)), libraryId: 'examples' };
  first = await run(base);
  firstVersion = await resolveVersion(world.platform.runtime, 'examples');
}, LONG);

afterAll(() => world?.close());

async function problems(): Promise<Json[]> {
  const text = await readFile('examples/tool-library/problems.jsonl', 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Json);
}

async function ledgerOf({ jobId }: Job): Promise<LedgerRow[]> {
  const rows: LedgerRow[] = [];
  for await (const row of ledgerRows(world.platform.runtime.records, jobId)) rows.push(row);
  return rows;
}

const aliasNow = (): Promise<string> => resolveVersion(world.platform.runtime, 'examples');

test('[tool-library 8,20] the example problems become a lossless library', async () => {
  expect(first.status).toBe('SUCCEEDED');
  expect((await world.content(first)).losslessness).toMatchObject({ coverage: 1 });
  expect(first.yields).toMatchObject({ problems: FIRST, admitted: FIRST, rejected: 0 });
  expect(first.yields.aggregated! + first.yields.kept!).toBeLessThan(FIRST);

  const { manifest, index } = await loadLibrary(world.platform.runtime, 'examples', firstVersion);
  expect(manifest).toMatchObject({ number: 1, partial: false, losslessness: { coverage: 1 } });
  expect(index.rows.length).toBe(first.yields.aggregated! + first.yields.kept!);
});

test(
  'a version that extends another: its tools and cases are all there, and only new problems are paid for',
  async () => {
    const source = await world.put('more', (await problems()).slice(FIRST, FIRST + MORE));
    const job = await run({ ...base, source, baseVersion: 'latest' });
    expect(job.status).toBe('SUCCEEDED');
    const content = await world.content(job);
    expect(content).toMatchObject({ baseVersion: firstVersion, losslessness: { coverage: 1 } });
    expect(job.yields).toMatchObject({ problems: MORE, admitted: MORE, rejected: 0 });

    const secondVersion = await aliasNow();
    const read = <T>(version: string, file: 'tools.jsonl' | 'cases.jsonl') =>
      world.rows<T>(libraryKey('examples', version, file));
    const manifest = await readManifest(world.platform.runtime, 'examples', secondVersion);
    expect(manifest).toMatchObject({ number: 2, baseVersion: firstVersion, partial: false });
    const [before, after] = [
      await read<LibraryTool>(firstVersion, 'tools.jsonl'),
      await read<LibraryTool>(secondVersion, 'tools.jsonl'),
    ];
    // Each old tool stands as it was, or is the source of one that answers all its cases.
    const served = new Set(after.flatMap(({ id, mapping }) => [id, ...mapping.map(({ toolId }) => toolId)]));
    expect(before.filter(({ id }) => !served.has(id)).map(({ name }) => name)).toEqual([]);
    const questions = async (version: string) =>
      new Set((await read<Case>(version, 'cases.jsonl')).map(({ question }) => question));
    const [old, all] = [await questions(firstVersion), await questions(secondVersion)];
    expect(old.size).toBe(FIRST);
    expect(all.size).toBe(FIRST + MORE);
    expect([...old].filter((question) => !all.has(question))).toEqual([]);

    // Nobody was asked again about what the first version was made of.
    const asked = (await ledgerOf(job)).filter(({ kind }) => kind !== 'cache');
    const known = new Set((await ledgerOf(first)).map(({ cacheKey }) => cacheKey));
    expect(asked.filter(({ cacheKey }) => known.has(cacheKey))).toEqual([]);
    expect(asked.filter(({ stage }) => stage === 'extract-tools')).toHaveLength(MORE);
    expect(asked.filter(({ stage }) => stage === 'judge-tools')).toHaveLength(MORE);
  },
  LONG,
);

test('a base version that is not there is refused', async () => {
  const job = await run({ ...base, baseVersion: 'v_0000000000000000' });
  expect(job).toMatchObject({ status: 'FAILED', cost: { calls: 0 } });
  expect(job.error!.detail).toContain('v_0000000000000000');
});

test(
  '[tool-library 21] an imported pile: each fault has its code, aliased fields are read, every row is counted once',
  async () => {
    const pile = importedPile();
    const input = {
      source: await world.put('pile', pile.rows),
      libraryId: 'pile',
      sandbox: { timeoutMs: 1500 },
      // Questions are re-solved in other tests.
      review: 'execute',
    };
    const job = await run(input);
    expect(job.status).toBe('SUCCEEDED_WITH_ERRORS');
    const rejects = await world.rows<Reject>(`jobs/${job.jobId}/output/rejects.jsonl`);
    const codes: Record<string, number> = {};
    for (const { code } of rejects) codes[code] = (codes[code] ?? 0) + 1;
    expect(codes).toEqual(pile.expected);
    expect((await world.content(job)).losslessness).toMatchObject({ coverage: 1 });
    const report = (await world.json(`jobs/${job.jobId}/output/report.json`)) as {
      candidates: Record<string, number>;
      rejects: Record<string, number>;
    };
    expect(report.candidates).toEqual({
      admitted: job.yields.admitted,
      rejected: Object.values(pile.expected).reduce((sum, count) => sum + count),
      collapsed: pile.collapsed,
      duplicates: pile.duplicates,
      open: 0,
    });
    expect(Object.values(report.candidates).reduce((sum, count) => sum + count)).toBe(pile.rows.length);
    expect(report.rejects).toMatchObject(pile.expected);
    for (const { evidence } of rejects) expect(await world.has(evidence!)).toBe(true);
  },
  LONG,
);

test(
  '[tool-library 17] the reviewing agent rejects twice, the code agent repairs, the third round is accepted; feedback arrives verbatim',
  async () => {
    const source = [
      [
        'A stand sells 24 muffins at $3 each; half a dollar of dough goes into each and the rent is $15. What is the profit?',
        '45',
        'def muffin_profit(muffins, price):\n    revenue = muffins * price\n    return revenue - muffins * 0.5 - 15\n',
        'muffin_profit(24, 3)',
      ],
      [
        'Twenty muffin boxes are sold for $6 each with $2 of soap each and a permit of $10. What is the profit?',
        '70',
        'def muffin_box_profit(fee, boxes, soap_cost):\n    return boxes * fee - boxes * soap_cost - 10\n',
        'muffin_box_profit(6, 20, 2)',
      ],
    ].map(([question, answer, code, call]) => ({ question, answer, code, call }));
    const body = '    return quantity * price - quantity * cost - amount\n';
    const good = `def profit(quantity: float, price: float, cost: float = 0.5, amount: float = 15) -> float:\n    """Profit after costs."""\n${body}`;
    const mapping = (prompt: string) =>
      [...prompt.matchAll(/# case (c_[0-9a-f]{16}): (muffin_profit|muffin_box_profit)\(/g)].map(
        ([, caseId, name]) => ({
          caseId,
          call:
            name === 'muffin_profit'
              ? 'profit(quantity=24, price=3)'
              : 'profit(quantity=20, price=6, cost=2, amount=10)',
        }),
      );
    const feedback = [
      'The rent is not subtracted: lost <b>capability</b> "A & B".',
      'Say in the docstring what amount is – the fixed costs.',
    ];
    let reviews = 0;
    world.answer(({ role, prompt }) => {
      if (role === 'review-code') {
        const problem = feedback[reviews++];
        return JSON.stringify(
          problem === undefined
            ? { verdict: 'PASS', feedback: [] }
            : { verdict: 'FAIL', feedback: [{ problem, suggestion: 'Mend it.' }] },
        );
      }
      const code = role === 'write-code' ? good.replace(' - amount', '') : good;
      return JSON.stringify({ module: '', functions: [{ name: 'profit', code }], mapping: mapping(prompt) });
    });
    const job = await run({
      source,
      libraryId: 'repaired',
      review: 'execute',
      tree: { depth: 2 },
      models: { 'write-code': 'stub', 'review-code': 'stub', 'patch-code': 'stub' },
    });
    expect(job.status).toBe('SUCCEEDED');
    const patches = world.stub.answered.filter(({ role }) => role === 'patch-code');
    expect(patches).toHaveLength(2);
    expect(patches.map(({ prompt }, n) => prompt.includes(feedback[n]!))).toEqual([true, true]);
    const tools = await world.rows<LibraryTool>(`jobs/${job.jobId}/library/tools.jsonl`);
    expect(tools.map(({ name }) => name)).toEqual(['profit']);
    expect(tools[0]!.mapping).toHaveLength(2);
    expect(job.cost.calls).toBeGreaterThanOrEqual(6);
  },
  LONG,
);

test(
  '[tool-library 26] a budget that runs out in Aggregate leaves a verified partial library, and the alias where it was',
  async () => {
    const before = await aliasNow();
    let calls = 0;
    world.answer(({ role }) => {
      calls++;
      return role === 'write-code'
        ? JSON.stringify({ module: '', functions: [], mapping: [] })
        : '{"verdict": "PASS", "feedback": []}';
    });
    // A call costs 50 micro-dollars and reserves 16,384: one fits, the next does not.
    const job = await run({ ...base, models: { 'write-code': 'stub' } }, { budget: { usd: 0.01641 } });
    expect(job.status).toBe('BUDGET_EXHAUSTED');
    const content = await world.content(job);
    expect(content.losslessness).toMatchObject({ coverage: 1 });
    const published = content.published as { version: string; partial: boolean };
    expect(published.partial).toBe(true);
    const manifest = await readManifest(world.platform.runtime, 'examples', published.version);
    expect(manifest.partial).toBe(true);
    expect(await aliasNow()).toBe(before);
    expect(job.cost.microUsd).toBe(50 * calls);
  },
  LONG,
);

test(
  '[tool-library 25,26] resumed with more money a job ends whole: nothing is asked again, other data are refused; a rerun is byte-identical, asks no model and publishes nothing new',
  async () => {
    const before = await aliasNow();
    const rows = (await problems()).slice(0, 4);
    const source = await world.put('resumed', rows);
    const input = { ...base, source, models: { 'judge-tools': 'stub' }, review: 'execute' };
    world.answer(() => '{"verdict": "EFFECTIVE", "improvements": []}');
    const asked = world.stub.answered.length;
    // A judge's call costs 50 micro-dollars and reserves 1,024: there is not enough for all.
    const poor = await run(input, { budget: { usd: 0.0011 } });
    expect(poor).toMatchObject({ status: 'BUDGET_EXHAUSTED', attempt: 1 });
    const some = world.stub.answered.length - asked;
    expect(some).toBeLessThan(rows.length);
    expect(await aliasNow()).toBe(before);

    await world.put('resumed', rows.toReversed());
    const refused = await world.resume(poor, { usd: 1 });
    expect(refused.status).toBe('FAILED');
    expect(refused.error!.detail).toContain('The job began with other prompts, models or data');
    expect(world.stub.answered.length).toBe(asked + some);

    await world.put('resumed', rows);
    const whole = await world.resume(refused);
    expect(whole).toMatchObject({ status: 'SUCCEEDED', yields: { admitted: rows.length, rejected: 0 } });
    const bodies = world.stub.answered.slice(asked).map(({ body }) => body);
    expect(bodies).toHaveLength(rows.length);
    expect(new Set(bodies).size).toBe(rows.length);
    expect(whole.cost.microUsd).toBe(50 * rows.length);
    const published = (await world.content(whole)).published as { version: string; partial: boolean };
    expect(published.partial).toBe(false);
    expect(await aliasNow()).toBe(published.version);
    // As if it had never been poor.
    const again = await run(input);
    expect(await world.content(again)).toEqual(await world.content(whole));
    expect(again.cost.calls).toBe(0);
    expect(world.stub.answered.length).toBe(asked + rows.length);
    expect(await aliasNow()).toBe(published.version);
  },
  LONG,
);

test('a base version alone is no reason for another: nothing new admitted is a failure', async () => {
  const before = await aliasNow();
  const job = await run({
    source: [{ question: 'How much?', reasoning: 'A lot.', answer: '3' }],
    libraryId: 'examples',
    baseVersion: 'latest',
  });
  expect(job).toMatchObject({ status: 'FAILED', yields: { admitted: 0, rejected: 1 } });
  expect(job.error!.detail).toContain('ANSWER_NOT_REACHED 1');
  expect(await aliasNow()).toBe(before);
});

/** Asks the job that is running to stop. */
async function cancelRunning(): Promise<void> {
  const { runtime } = world.platform;
  const page = await jobStore(runtime).list({ owner: 'local', status: 'RUNNING', limit: 1 });
  await jobControl(runtime, catalog).cancel(page.items[0]!.jobId);
}

test.for(['seed-clusters', 'blueprint', 'write-code'])(
  'a job that is cancelled while %s is asked keeps what it has as a partial version, and the alias stays',
  { timeout: LONG },
  async (role) => {
    const before = await aliasNow();
    let cancelling: Promise<unknown> | undefined;
    world.answer(async () => {
      await (cancelling ??= cancelRunning());
      return '{}';
    });
    const source = await world.put('few', (await problems()).slice(0, FEW));
    const job = await run({ ...base, source, validation: 'execute', models: { [role]: 'stub' } });
    expect(job.status).toBe('CANCELLED');
    expect(await world.content(job)).toMatchObject({
      losslessness: { coverage: 1 },
      published: { partial: true, tools: FEW },
    });
    expect(await aliasNow()).toBe(before);
  },
);

test('unknown models, fields and sources fail before any call', async () => {
  const unknown = await run({
    ...base,
    libraryId: 'x1',
    models: { 'extract-tools': 'nobody' },
  });
  expect(unknown).toMatchObject({ status: 'FAILED', cost: { calls: 0 } });
  expect(unknown.error!.detail).toContain('nobody');
  await expect(run({ ...base, sauce: 1 })).rejects.toThrow('not valid');
  const missing = await run({ source: 'in/nothing.jsonl', libraryId: 'x1' });
  expect(missing.error!.detail).toContain('in/nothing.jsonl');
});

test('a source of which nothing can be made fails with the histogram of its rejects', async () => {
  const job = await run({
    source: [{ question: 'How much?', reasoning: 'A lot.', answer: '3' }],
    libraryId: 'nothing',
  });
  expect(job).toMatchObject({ status: 'FAILED', error: { status: 422 } });
  expect(job.error!.detail).toContain('ANSWER_NOT_REACHED 1');
});
