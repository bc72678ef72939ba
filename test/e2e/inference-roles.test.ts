import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { openPlatform, type Platform } from '#local/platform.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { budgetOf } from '#shared/models/budget.ts';
import { ledgerRows, totalsOf } from '#shared/models/ledger.ts';
import type { LedgerRow } from '#shared/models/types.ts';
import { bridge, jsonl } from '#test/functions/dataset-synthesis/bridges.ts';
import { stubModels } from '#test/support/chat-server.ts';
import { goodAnswer } from './bridge-answers.ts';
import { chatStub, type ChatAnswer, type ChatCall, type ChatStub } from './chat-stub.ts';

/** A small server plays the four roles of dataset-synthesis slowly, wrongly and rarely with garbage. */

let open: { platform: Platform; stub: ChatStub; dir: string } | undefined;
afterEach(async () => {
  await open?.platform.close();
  await open?.stub.close();
  if (open) await rm(open.dir, { recursive: true, force: true });
  open = undefined;
});

const KEY = 'ingest-free/bridges.jsonl';
const ROLES = ['filter', 'identify', 'generate', 'check'];
const GARBAGE = ['\u0000\ufffd%%% lorem', '<html>busy</html>', '[[[[{{{{"', '', '{"verdict": nul'];

/** The same call is always answered the same way, whenever it comes. */
async function answer(call: ChatCall): Promise<ChatAnswer> {
  const rng = seededRng('roles', call.body);
  await pause(1 + rng.below(20));
  const draw = rng.next();
  if (draw < 0.05) return GARBAGE[rng.below(GARBAGE.length)]!;
  // The JSON of another role, in no schema of this one.
  if (draw < 0.15) return goodAnswer({ ...call, role: ROLES[(ROLES.indexOf(call.role) + 1) % 4]! });
  if (draw < 0.25) return `\`\`\`json\n${goodAnswer(call)}\n\`\`\`\nI hope this helps!`;
  return goodAnswer(call);
}

it('a dataset is made all the same, and job, roles, budget and ledger agree with the server’s bill', async () => {
  const stub = await chatStub(answer);
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-e2e-'));
  const models = join(dir, 'models.json');
  const price = [{ from: '2020-01-01', inputPerMTok: 1, outputPerMTok: 2 }];
  await writeFile(models, stubModels(stub.url, { price }));
  const platform = await openPlatform({ dataDir: join(dir, 'data'), env: { AGENTMILL_MODELS: models } });
  open = { platform, stub, dir };
  const { runtime } = platform;
  await runtime.artifacts.put(KEY, jsonl(Array.from({ length: 20 }, (_, n) => bridge(n))));
  const job = await platform.run(
    'dataset-synthesis',
    { sources: [{ uri: KEY }], tolerance: { failedPercent: 100 } },
    { model: 'stub', budget: { usd: 5 } },
  );
  expect(job.status).toMatch(/^SUCCEEDED/);
  expect(job.yields.accepted).toBeGreaterThan(0);

  const rows: LedgerRow[] = [];
  for await (const row of ledgerRows(runtime.records, job.jobId)) rows.push(row);
  const called = rows.filter(({ kind }) => kind !== 'cache');
  // 100 tokens in and 50 out at 1 and 2 dollars a million: 200 micro-dollars an answer, usable or not.
  const bill = stub.answered.length * 200;
  expect(called).toHaveLength(stub.requests.length);
  expect(called.every(({ state, billed }) => state === 'settled' && billed === 'yes')).toBe(true);
  // It was wrong often enough for each way out to have been taken.
  expect(rows.some(({ outcome }) => outcome === 'rejected')).toBe(true);
  expect(rows.some(({ kind, outcome }) => kind === 'reask' && outcome === 'ok')).toBe(true);
  expect(new Set(called.map(({ role }) => role.split('/').at(-1)))).toEqual(new Set(ROLES));

  expect(job.cost.microUsd).toBe(bill);
  expect(job.cost.calls).toBe(called.length);
  const totals = await totalsOf(runtime, job.jobId);
  expect(totals.microUsd).toBe(bill);
  const roles = Object.values(totals.byRole);
  expect(roles.reduce((sum, { microUsd }) => sum + microUsd, 0)).toBe(bill);
  expect(roles.reduce((sum, { tokensIn }) => sum + tokensIn, 0)).toBe(100 * stub.answered.length);
  expect(await budgetOf(runtime, job.jobId)).toMatchObject({
    spent: { micros: bill },
    remaining: { micros: 5_000_000 - bill },
    leases: 0,
  });
});
