import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { seededRng } from '#shared/determinism/rng.ts';
import type { BatchOutput } from '#shared/models/batch/checkpoint.ts';
import { budgetOf, openBudget, sweepLeases } from '#shared/models/budget.ts';
import { ledgerRows, reconcile } from '#shared/models/ledger.ts';
import type { InferRequest, LedgerRow } from '#shared/models/types.ts';
import { readText, writeJsonl } from '#shared/storage/jsonl.ts';
import { embeddedRuntime } from '#test/support/runtime.ts';
import type { Order } from './inference-child.ts';
import { faultyStub, type FaultyStub } from './inference-stub.ts';

const CONCURRENCY = 8;
const SPEED = 20;
/** Of a hanging call, in real time. An answer that a busy machine reads later than this counts as one that never came. */
const TIMEOUT_MS = 2000;
const MICROS = 750;

const closing: (() => Promise<unknown>)[] = [];
const children = new Set<ChildProcess>();
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await Promise.all([...children].map((child) => new Promise((resolve) => child.once('close', resolve))));
  for (const close of closing.splice(0).reverse()) await close();
});

const requests = function* (count: number): Generator<InferRequest> {
  for (let n = 0; n < count; n++) {
    yield {
      id: `r${n}`,
      role: { name: 'test/role', version: '1' },
      model: 'm',
      messages: [{ role: 'user', content: `question ${n}` }],
    };
  }
};

/** Runs the batch in a process of its own, which is killed once the server has charged `kill` answers more. */
function child(order: Order, stub: FaultyStub, kill?: number): Promise<BatchOutput | undefined> {
  const script = join(import.meta.dirname, 'inference-child.ts');
  const running = spawn(process.execPath, [script, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(running);
  let out = '';
  let errors = '';
  running.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  running.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const at = stub.bill.length + (kill ?? Infinity);
  stub.onCharge = () => {
    if (stub.bill.length >= at) running.kill('SIGKILL');
  };
  return new Promise((resolve, reject) => {
    running.once('close', (code, signal) => {
      children.delete(running);
      stub.onCharge = undefined;
      if (code === 0) resolve(JSON.parse(out) as BatchOutput);
      else if (signal === 'SIGKILL') resolve(undefined);
      else reject(new Error(errors));
    });
  });
}

async function course(count: number, faults: boolean, kills: number[]) {
  const world = await embeddedRuntime();
  closing.push(() => world.close());
  const stub = await faultyStub(faults);
  closing.push(() => stub.close());
  const { runtime } = world;
  const jobId = 'test-workflow.aaaaaaaaaaaaaaaaaaaaaaaaaa';
  await openBudget(runtime, jobId, { microUsd: 1_000_000_000 });
  const ref = await writeJsonl(runtime.artifacts, `jobs/${jobId}/work/requests.jsonl`, requests(count));
  const epoch = Date.now();
  const order: Order = {
    dataDir: world.dir,
    jobId,
    requests: ref,
    url: stub.url,
    epoch,
    speed: SPEED,
    timeoutMs: TIMEOUT_MS,
    concurrency: CONCURRENCY,
  };
  let killed = 0;
  for (const kill of kills) if (!(await child(order, stub, kill))) killed++;
  const output = (await child(order, stub))!;
  // The killed processes' leases lapse; seen from later.
  const now = (): number => epoch + (Date.now() - epoch) * SPEED + 200_000;
  const later = { ...runtime, clock: { ...runtime.clock, now } };
  await sweepLeases(later, { models: new Map(), routes: new Map() }, jobId);
  const totals = await reconcile(later, jobId);
  const rows: LedgerRow[] = [];
  for await (const row of ledgerRows(runtime.records, jobId)) rows.push(row);
  const text = await readText(runtime.artifacts, output.results);
  return { output, text, stub, killed, totals, rows, budget: await budgetOf(runtime, jobId) };
}

function check(run: Awaited<ReturnType<typeof course>>, count: number, expected: string): void {
  const { rows, stub, totals, budget, killed } = run;
  expect(run.output.counts).toMatchObject({ total: count, ok: count });
  expect(run.text).toBe(expected);

  // No answer that was recorded is asked for again.
  const paid = rows.filter((row) => row.billed === 'yes');
  const answered = paid.filter((row) => row.outcome === 'ok').map((row) => row.requestId);
  expect(new Set(answered).size).toBe(answered.length);

  // The job's totals, its budget and the ledger agree, and nothing is left open.
  expect(rows.every((row) => row.state === 'settled')).toBe(true);
  expect(totals.microUsd).toBe(rows.reduce((sum, row) => sum + row.costMicros, 0));
  expect(budget.spent.micros).toBe(totals.microUsd);
  expect(budget.leases).toBe(0);

  // What the server charged is in the ledger, call by call, apart from the answers under way at a kill or read too late.
  const byAttempt = new Map(rows.map((row) => [row.attemptId, row]));
  const charged = new Set(stub.bill.map(({ attemptId }) => attemptId));
  expect(charged.size).toBe(stub.bill.length);
  expect(paid.filter((row) => !charged.has(row.attemptId))).toEqual([]);
  const lost = stub.bill.filter(({ attemptId }) => byAttempt.get(attemptId)?.billed !== 'yes');
  const late = lost.filter(({ attemptId }) => byAttempt.get(attemptId)?.errorCode === 'TIMEOUT');
  for (const { attemptId } of lost.filter((charge) => !late.includes(charge)))
    expect(byAttempt.get(attemptId)).toMatchObject({ outcome: 'lapsed' });
  expect(lost.length - late.length).toBeLessThanOrEqual(CONCURRENCY * killed);
  expect(stub.bill.length - count).toBeLessThanOrEqual(CONCURRENCY * killed + late.length);
  const sum = paid.reduce((total, row) => total + row.costMicros, 0);
  expect(sum).toBe((stub.bill.length - lost.length) * MICROS);
}

/** What the requests give without any fault. */
let clean: Promise<string> | undefined;
const faultFree = (): Promise<string> => (clean ??= course(1000, false, []).then(({ text }) => text));

describe('the fault course', () => {
  it('[model-inference 27] 1,000 requests with faults and a SIGKILL near 400 end as the fault-free run, nothing recorded is repeated, and the books agree', async () => {
    const expected = await faultFree();
    const run = await course(1000, true, [400]);
    expect(run.killed).toBe(1);
    expect(Object.keys(run.stub.faults).sort()).toEqual(['429', '500', 'garbage', 'hang']);
    check(run, 1000, expected);
  }, 900_000);

  it('[model-inference 27] the same 1,000, killed at 20 random points', async () => {
    const expected = await faultFree();
    const rng = seededRng('kills');
    const run = await course(
      1000,
      true,
      // Together less than 1,000 answers: every process is killed before it is done.
      Array.from({ length: 20 }, () => 3 + rng.below(45)),
    );
    expect(run.killed).toBe(20);
    check(run, 1000, expected);
  }, 900_000);
});
