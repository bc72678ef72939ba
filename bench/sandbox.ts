import { readdirSync, readFileSync } from 'node:fs';
import { openPool } from '#shared/sandbox/pool.ts';
import type { SandboxRequest } from '#shared/sandbox/index.ts';

/**
 * The sandbox: small cases a second on one and two warm children, restoring an interpreter, and what a case over its
 * limit costs beyond it (specification tool-library, section 12). Processor time stands beside the time on the wall:
 * where others use the machine, that is what can be compared.
 */

const CASES = 5_000;
const LIMIT_MS = 500;

const request = (index: number, fields: Partial<SandboxRequest> = {}): SandboxRequest => ({
  id: String(index),
  language: 'python',
  code: 'def muffin_profit(muffins, price):\n    revenue = muffins * price\n    return revenue - 15\n',
  call: `muffin_profit(${index}, 3)`,
  timeoutMs: 3_000,
  memoryMb: 256,
  seed: 1,
  ...fields,
});

const row = (what: string, value: string, target: string): void =>
  console.log(`${what.padEnd(44)} ${value.padStart(14)}   ${target}`);

const TICK_MS = 10;

/** Processor milliseconds of this process and its children, gone ones too; nothing where the system does not say. */
function processorMs(): number | undefined {
  const { user, system } = process.cpuUsage();
  try {
    const children = readdirSync('/proc/self/task').flatMap((task) =>
      readFileSync(`/proc/self/task/${task}/children`, 'latin1').trim().split(' ').filter(Boolean),
    );
    /** Of what stands after the name in brackets, the first two of these are its own ticks, the next its children's. */
    const ticks = (pid: string, from: number): number => {
      const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
      return Number(fields[from]) + Number(fields[from + 1]);
    };
    const theirs = children.reduce((sum, pid) => sum + ticks(pid, 11), ticks('self', 13));
    return (user + system) / 1000 + theirs * TICK_MS;
  } catch {
    return undefined;
  }
}

async function throughput(workers: number): Promise<void> {
  const pool = openPool(process.env, { workers });
  const run = async (count: number): Promise<void> => {
    const requests = Array.from({ length: count }, (_, index) => request(index));
    for await (const result of pool.runBatch(requests, { unitId: 'bench' })) {
      if (!result.ok) throw new Error(JSON.stringify(result.error));
    }
  };
  await run(400);
  const used = processorMs();
  const began = performance.now();
  await run(CASES - 500);
  const rate = Math.round((CASES - 500) / ((performance.now() - began) / 1000));
  const now = processorMs();
  row(`cases on ${workers} warm`, `${rate}/s`, `≥ ${workers === 1 ? '4,000' : '6,000'}/s`);
  if (used !== undefined && now !== undefined) {
    row(
      '  processor time a case, sandbox and host',
      `${Math.round(((now - used) / (CASES - 500)) * 1000)} µs`,
      '',
    );
  }
  await pool.close();
}

export default async function bench(): Promise<void> {
  const pool = openPool(process.env, { workers: 1 });
  let began = performance.now();
  await pool.run(request(0));
  row('first run (makes the snapshot where absent)', `${Math.round(performance.now() - began)} ms`, '');
  const times: number[] = [];
  const used = processorMs();
  for (let index = 0; index < 5; index++) {
    began = performance.now();
    const result = await pool.run(request(index));
    if (!result.ok) throw new Error(JSON.stringify(result.error));
    times.push(performance.now() - began);
  }
  const now = processorMs();
  times.sort((a, b) => a - b);
  row('a fresh interpreter, restored, and one case', `${Math.round(times[2]!)} ms`, '≤ 600 ms');
  if (used !== undefined && now !== undefined) {
    row('  processor time of one', `${Math.round((now - used) / times.length)} ms`, '');
  }
  await pool.run(request(0), { unitId: 'killed' });
  began = performance.now();
  const killed = await pool.run(request(0, { code: 'while True: pass', timeoutMs: LIMIT_MS }), {
    unitId: 'killed',
  });
  if (killed.ok || killed.error.type !== 'Timeout') throw new Error('the loop was not stopped');
  await pool.run(request(0), { unitId: 'killed' });
  row(
    'a killed case and the next, beyond its limit',
    `${Math.round(performance.now() - began - LIMIT_MS)} ms`,
    '≤ 1,000 ms',
  );
  await pool.close();
  await throughput(1);
  await throughput(2);
}
