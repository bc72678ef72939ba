import { readdirSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';

/**
 * What a run costs, children included. Wall-clock says little on a machine that others use: CPU time stands beside it,
 * and the load. Children and memory are read from /proc; elsewhere they are this process's alone.
 */
export interface Cost {
  wallSeconds: number;
  /** User and system, of all threads and of the children that ended. */
  cpuSeconds: number;
  /** Most memory of this process and its descendants at one time, MB: proportional set sizes, so shared pages count once. */
  peakMb: number;
  /** Mean number of runnable processes over the last minute, at the end. */
  load: number;
}

const TICKS_A_SECOND = 100;
const SAMPLE_MS = 500;

const statOf = (pid: string): string[] | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is a name in brackets and may hold blanks.
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
};

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  const [ofChildren = 0, systemOfChildren = 0] = statOf('self')?.slice(13, 15).map(Number) ?? [];
  return (user + system) / 1e6 + (ofChildren + systemOfChildren) / TICKS_A_SECOND;
};

/** Resident memory of this process and all below it, in MB. */
function residentMb(): number {
  let pids: string[];
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return process.memoryUsage.rss() / 2 ** 20;
  }
  const parents = new Map(pids.map((pid) => [pid, statOf(pid)?.[1]]));
  const own = String(process.pid);
  const below = (pid: string | undefined): boolean =>
    pid !== undefined && pid !== '0' && (pid === own || below(parents.get(pid)));
  return pids.filter(below).reduce((sum, pid) => sum + residentOf(pid), 0) / 2 ** 10;
}

/** In KB; the resident set where the proportional one cannot be read. */
function residentOf(pid: string): number {
  for (const [file, field] of [
    ['smaps_rollup', /^Pss:\s+(\d+)/m],
    ['status', /^VmRSS:\s+(\d+)/m],
  ] as const) {
    try {
      const found = field.exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'));
      if (found) return Number(found[1]);
    } catch {
      // It ended meanwhile, or may not be read.
    }
  }
  return 0;
}

/** Runs something and says what it cost. Children that it leaves running are not counted as CPU: close them in it. */
export async function costOf<T>(run: () => T | Promise<T>): Promise<{ result: T; cost: Cost }> {
  let peakMb = residentMb();
  const timer = setInterval(() => (peakMb = Math.max(peakMb, residentMb())), SAMPLE_MS);
  const [cpu, started] = [cpuSeconds(), performance.now()];
  try {
    const result = await run();
    const wallSeconds = (performance.now() - started) / 1000;
    peakMb = Math.max(peakMb, residentMb());
    return { result, cost: { wallSeconds, cpuSeconds: cpuSeconds() - cpu, peakMb, load: loadavg()[0]! } };
  } finally {
    clearInterval(timer);
  }
}

/** The run in the middle by CPU time, of several. */
export async function medianCost<T>(
  runs: number,
  run: () => T | Promise<T>,
): Promise<{ result: T; cost: Cost }> {
  const all: { result: T; cost: Cost }[] = [];
  for (let n = 0; n < runs; n++) all.push(await costOf(run));
  all.sort((a, b) => a.cost.cpuSeconds - b.cost.cpuSeconds);
  return all[Math.floor(all.length / 2)]!;
}
