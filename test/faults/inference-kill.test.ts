import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { seededRng } from '#shared/determinism/rng.ts';
import { budgetOf, openBudget, sweepLeases } from '#shared/models/budget.ts';
import { ledgerRows, reconcile } from '#shared/models/ledger.ts';
import type { BatchOutput } from '#shared/models/batch/checkpoint.ts';
import type { InferRequest } from '#shared/models/types.ts';
import { readText, writeJsonl } from '#shared/storage/jsonl.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

const CONCURRENCY = 8;
const SPEED = 20;
const worlds: TestRuntime[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
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
const linesIn = (file: string): string[] =>
  existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];

/** Runs the batch in a process of its own, killing it once the model has billed `kill` answers more. */
function child(
  order: Record<string, unknown>,
  bill: string,
  kill?: number,
): Promise<BatchOutput | undefined> {
  return new Promise((resolve, reject) => {
    const before = linesIn(bill).length;
    const script = join(import.meta.dirname, 'inference-child.ts');
    const running = spawn(process.execPath, [script, JSON.stringify({ ...order, bill })], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let errors = '';
    let killed = false;
    running.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    running.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const watch = setInterval(() => {
      if (kill !== undefined && linesIn(bill).length - before >= kill) killed = running.kill('SIGKILL');
    }, 5);
    running.on('exit', (code) => {
      clearInterval(watch);
      if (code === 0) resolve(JSON.parse(out) as BatchOutput);
      else if (killed) resolve(undefined);
      else reject(new Error(errors));
    });
  });
}

async function course(count: number, faults: boolean, kills: number[]) {
  const world = await embeddedRuntime();
  worlds.push(world);
  const { runtime, dir } = world;
  const jobId = 'test-workflow.aaaaaaaaaaaaaaaaaaaaaaaaaa';
  await openBudget(runtime, jobId, { microUsd: 1_000_000_000 });
  const ref = await writeJsonl(runtime.artifacts, `jobs/${jobId}/work/requests.jsonl`, requests(count));
  const bill = join(dir, 'bill.txt');
  const epoch = Date.now();
  const order = { dataDir: dir, jobId, requests: ref, faults, epoch, speed: SPEED };
  let killed = 0;
  let output: BatchOutput | undefined;
  for (const kill of [...kills, undefined]) {
    output = await child(order, bill, kill);
    if (output) break;
    killed++;
  }
  const billed = linesIn(bill);
  // The killed processes' leases lapse; seen from later.
  const later = {
    ...runtime,
    clock: { ...runtime.clock, now: () => epoch + (Date.now() - epoch) * SPEED + 200_000 },
  };
  await sweepLeases(later, { models: new Map(), routes: new Map() }, jobId);
  const totals = await reconcile(later, jobId);
  const rows = [];
  for await (const row of ledgerRows(runtime.records, jobId)) rows.push(row);
  return {
    output: output!,
    text: await readText(runtime.artifacts, output!.results),
    billed,
    killed,
    totals,
    rows,
    budget: await budgetOf(runtime, jobId),
  };
}

function check(run: Awaited<ReturnType<typeof course>>, count: number, clean: string): void {
  expect(run.output.counts).toMatchObject({ total: count, ok: count });
  expect(run.text).toBe(clean);
  const lost = CONCURRENCY * run.killed;
  // Repeats are answers whose process died before it could keep them.
  expect(run.billed.length - count).toBeLessThanOrEqual(lost);
  expect(run.rows.every((row) => row.state === 'settled')).toBe(true);
  expect(run.totals.microUsd).toBe(run.rows.reduce((sum, row) => sum + row.costMicros, 0));
  expect(run.budget.spent.micros).toBe(run.totals.microUsd);
  expect(run.budget.leases).toBe(0);
  const paid = run.rows.filter((row) => row.billed === 'yes');
  expect(paid.length).toBeLessThanOrEqual(run.billed.length);
  expect(run.billed.length - paid.length).toBeLessThanOrEqual(lost);
  // No answer that was recorded is asked for again.
  const answered = paid.filter((row) => row.outcome === 'ok').map((row) => row.requestId);
  expect(new Set(answered).size).toBe(answered.length);
}

describe('the fault course', () => {
  it('[model-inference 27] 1,000 requests with faults and a SIGKILL near 400 end as the fault-free run, nothing recorded is repeated, and the books agree', async () => {
    const clean = (await course(1000, false, [])).text;
    check(await course(1000, true, [400]), 1000, clean);
  }, 120_000);

  it('[model-inference 27] the same with random kill points', async () => {
    const count = 300;
    const clean = (await course(count, false, [])).text;
    const rng = seededRng('kills');
    check(
      await course(
        count,
        true,
        Array.from({ length: 8 }, () => 5 + rng.below(40)),
      ),
      count,
      clean,
    );
  }, 120_000);
});
