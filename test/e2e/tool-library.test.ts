import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeAnalyser } from '#functions/tool-library/python/analyser.ts';
import type { Reject } from '#functions/tool-library/records.ts';
import { closeSandboxes } from '#functions/tool-library/sandbox.ts';
import { catalog, openPlatform, type Platform } from '#local/platform.ts';
import { resolveVersion } from '#shared/library/aliases.ts';
import { loadLibrary } from '#shared/library/load.ts';
import { readManifest } from '#shared/library/store.ts';
import type { LibraryTool } from '#shared/library/types.ts';
import { readJson, readJsonl } from '#shared/storage/jsonl.ts';
import type { HistoryEvent, Json } from '#shared/storage/ports.ts';
import { jobControl } from '#shared/task/job-control.ts';
import { jobStore } from '#shared/task/job-store.ts';
import type { Job } from '#shared/task/jobs.ts';
import { chatStub, type ChatAnswer, type ChatCall, type ChatStub } from './chat-stub.ts';
import { importedPile } from './tool-pile.ts';

/** tool-library on the whole embedded platform; where a model is asked, an OpenAI-compatible server answers. */

/** Machines of tests may be busy with other things. */
const LONG = 300_000;

let platform: Platform;
let stub: ChatStub;
let dir: string;
/** What the stub says; set by the test that asks it. */
let reply: (call: ChatCall) => ChatAnswer | Promise<ChatAnswer> = () => '{}';

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'agentmill-e2e-'));
  stub = await chatStub((call) => reply(call));
  const entry = {
    name: 'stub',
    provider: 'openai',
    endpoint: { url: stub.url, auth: { type: 'none' } },
    served: 'stub',
    contextTokens: 65_536,
    maxOutputTokens: 16_384,
    price: [{ from: '2020-01-01', inputPerMTok: 0, outputPerMTok: 1 }],
    billing: 'token',
    limits: { rpm: 60_000, tpm: 600_000_000, concurrency: 8 },
    features: { jsonSchema: true, tools: false, streaming: false },
  };
  const models = join(dir, 'models.json');
  await writeFile(
    models,
    JSON.stringify({ models: [{ name: 'builtin', provider: 'builtin' }, entry], routes: [] }),
  );
  platform = await openPlatform({ dataDir: join(dir, 'data'), env: { AGENTMILL_MODELS: models } });
  await platform.runtime.artifacts.put(
    'in/problems.jsonl',
    await readFile('examples/tool-library/problems.jsonl'),
  );
}, LONG);

afterAll(async () => {
  await platform?.close();
  await stub?.close();
  await Promise.all([closeSandboxes(), closeAnalyser()]);
  await rm(dir, { recursive: true, force: true });
});

const run = (input: Record<string, unknown>, options: object = {}): Promise<Job> =>
  platform.run('tool-library', input as Json, options);

async function rowsOf<T>(key: string): Promise<T[]> {
  const rows: T[] = [];
  for await (const { value } of readJsonl(platform.runtime.artifacts, key)) rows.push(value as T);
  return rows;
}

const manifestOf = async (job: Job): Promise<{ content: Record<string, Json> }> =>
  (await readJson(platform.runtime.artifacts, `jobs/${job.jobId}/output/manifest.json`)) as never;

async function historyOf(job: Job): Promise<HistoryEvent[]> {
  const events: HistoryEvent[] = [];
  let cursor: string | undefined;
  do {
    const page = await platform.runtime.workflows.history(job.executionId!, {
      limit: 1000,
      ...(cursor === undefined ? {} : { cursor }),
    });
    events.push(...page.events);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return events;
}

test(
  '[tool-library 8,20,25] the example problems become a lossless library; a rerun is byte-identical and asks no model',
  async () => {
    const input = { source: 'in/problems.jsonl', libraryId: 'examples', limit: 30 };
    const first = await run(input);
    expect(first.status).toBe('SUCCEEDED');
    const { content } = await manifestOf(first);
    expect(content.losslessness).toMatchObject({ coverage: 1 });
    expect(first.yields).toMatchObject({ problems: 30, admitted: 30, rejected: 0 });
    expect(first.yields.aggregated! + first.yields.kept!).toBeLessThan(first.yields.admitted!);

    const version = await resolveVersion(platform.runtime, 'examples');
    const { manifest, index } = await loadLibrary(platform.runtime, 'examples', version);
    expect(manifest).toMatchObject({ number: 1, partial: false, losslessness: { coverage: 1 } });
    expect(index.rows.length).toBe(first.yields.aggregated! + first.yields.kept!);

    const second = await run(input);
    expect(await manifestOf(second)).toMatchObject({ content });
    expect(second.cost.calls).toBe(0);
    expect(await resolveVersion(platform.runtime, 'examples')).toBe(version);

    const events = await historyOf(first);
    expect(events.length).toBeLessThan(500);
    for (const event of events) expect(JSON.stringify(event).length).toBeLessThan(40 * 1024);
  },
  LONG,
);

test(
  '[tool-library 21] an imported pile: each fault has its code, aliased fields are read, reruns count alike',
  async () => {
    const pile = importedPile();
    await platform.runtime.artifacts.put(
      'in/pile.jsonl',
      pile.rows.map((row) => `${JSON.stringify(row)}\n`).join(''),
    );
    const input = { source: 'in/pile.jsonl', libraryId: 'pile', sandbox: { timeoutMs: 1500 } };
    const job = await run(input);
    expect(job.status).toBe('SUCCEEDED_WITH_ERRORS');
    const rejects = await rowsOf<Reject>(`jobs/${job.jobId}/output/rejects.jsonl`);
    const codes = (list: Reject[]) =>
      list.reduce<Record<string, number>>((sum, { code }) => ({ ...sum, [code]: (sum[code] ?? 0) + 1 }), {});
    expect(codes(rejects)).toMatchObject(pile.expected);
    expect(job.yields.admitted! + rejects.length + job.yields.collapsed!).toBe(pile.rows.length);
    expect((await manifestOf(job)).content.losslessness).toMatchObject({ coverage: 1 });
    const again = await run(input);
    expect((await manifestOf(again)).content).toEqual((await manifestOf(job)).content);
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
    reply = ({ role, prompt }) => {
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
    };
    const job = await run({
      source,
      libraryId: 'repaired',
      review: 'execute',
      tree: { depth: 2 },
      models: { 'write-code': 'stub', 'review-code': 'stub', 'patch-code': 'stub' },
    });
    expect(job.status).toBe('SUCCEEDED');
    const patches = stub.answered.filter(({ role }) => role === 'patch-code');
    expect(patches).toHaveLength(2);
    expect(patches.map(({ prompt }, n) => prompt.includes(feedback[n]!))).toEqual([true, true]);
    const tools = await rowsOf<LibraryTool>(`jobs/${job.jobId}/library/tools.jsonl`);
    expect(tools.map(({ name }) => name)).toEqual(['profit']);
    expect(tools[0]!.mapping).toHaveLength(2);
    expect(job.cost.calls).toBeGreaterThanOrEqual(6);
  },
  LONG,
);

test(
  '[tool-library 26] a budget that runs out in Aggregate leaves a verified partial library, and the alias where it was',
  async () => {
    const input = { source: 'in/problems.jsonl', libraryId: 'examples', limit: 30 };
    const before = await resolveVersion(platform.runtime, 'examples');
    let calls = 0;
    reply = ({ role }) => {
      calls++;
      return role === 'write-code'
        ? JSON.stringify({ module: '', functions: [], mapping: [] })
        : '{"verdict": "PASS", "feedback": []}';
    };
    // A call costs 50 micro-dollars and reserves 16,384: one fits, the next does not.
    const job = await run({ ...input, models: { 'write-code': 'stub' } }, { budget: { usd: 0.01641 } });
    expect(job.status).toBe('BUDGET_EXHAUSTED');
    const { content } = await manifestOf(job);
    expect(content.losslessness).toMatchObject({ coverage: 1 });
    const published = content.published as { version: string; partial: boolean };
    expect(published.partial).toBe(true);
    const manifest = await readManifest(platform.runtime, 'examples', published.version);
    expect(manifest.partial).toBe(true);
    expect(await resolveVersion(platform.runtime, 'examples')).toBe(before);
    expect(job.cost.microUsd).toBe(50 * calls);
  },
  LONG,
);

test(
  '[tool-library 27] a storm of 429 loses no item, and no payload or history grows beyond its cap',
  async () => {
    let storm = 0;
    const turnedAway = new Set<string>();
    reply = ({ body }) => {
      if (!turnedAway.has(body)) {
        turnedAway.add(body);
        storm++;
        return { status: 429, headers: { 'retry-after': '0' } };
      }
      return JSON.stringify({ verdict: 'EFFECTIVE', improvements: [] });
    };
    const job = await run({
      source: 'in/problems.jsonl',
      libraryId: 'storm',
      limit: 60,
      review: 'execute',
      models: { 'judge-tools': 'stub' },
    });
    expect(storm).toBe(60);
    expect(job.status).toBe('SUCCEEDED');
    expect(job.yields).toMatchObject({ problems: 60, admitted: 60, rejected: 0 });
    const events = await historyOf(job);
    expect(events.length).toBeLessThan(500);
    for (const event of events) {
      const details = Object.values(event).filter((value) => typeof value === 'object') as {
        input?: string;
        output?: string;
      }[];
      for (const { input, output } of details) {
        expect(Math.max(input?.length ?? 0, output?.length ?? 0)).toBeLessThanOrEqual(32 * 1024);
      }
    }
  },
  LONG,
);

/** Asks the job that is running to stop. */
async function cancelRunning(): Promise<void> {
  const page = await jobStore(platform.runtime).list({ owner: 'local', status: 'RUNNING', limit: 1 });
  await jobControl(platform.runtime, catalog).cancel(page.items[0]!.jobId);
}

test(
  'a job that is cancelled in Aggregate keeps what it has as a partial version, and the alias stays',
  async () => {
    const before = await resolveVersion(platform.runtime, 'examples').catch(() => undefined);
    let cancelling: Promise<unknown> | undefined;
    reply = async () => {
      await (cancelling ??= cancelRunning());
      // Tasks look at the flag every five seconds.
      await delay(5_500);
      return JSON.stringify({ module: '', functions: [], mapping: [] });
    };
    const job = await run({
      source: 'in/problems.jsonl',
      libraryId: 'examples',
      limit: 12,
      validation: 'execute',
      models: { 'write-code': 'stub' },
    });
    expect(job.status).toBe('CANCELLED');
    const { content } = await manifestOf(job);
    expect(content).toMatchObject({ losslessness: { coverage: 1 }, published: { partial: true, tools: 12 } });
    expect(await resolveVersion(platform.runtime, 'examples').catch(() => undefined)).toBe(before);
  },
  LONG,
);

test('unknown models, fields and sources fail before any call', async () => {
  const unknown = await run({
    source: 'in/problems.jsonl',
    libraryId: 'x1',
    models: { 'extract-tools': 'nobody' },
  });
  expect(unknown).toMatchObject({ status: 'FAILED', cost: { calls: 0 } });
  expect(unknown.error!.detail).toContain('nobody');
  await expect(run({ source: 'in/problems.jsonl', libraryId: 'x1', sauce: 1 })).rejects.toThrow('not valid');
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
