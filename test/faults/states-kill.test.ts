import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { seededRng } from '#shared/determinism/rng.ts';
import { allEvents, bareEngine } from '#test/local/states/engine/support.ts';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** Runs the child and kills it `after` ms from when it is ready; resolves with its exit code, null when killed. */
async function life(directory: string, items: number, after: number | undefined): Promise<number | null> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'states-child.ts'), directory, String(items)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  if (after !== undefined) {
    await Promise.race([new Promise((resolve) => child.stdout.once('data', resolve)), ended]);
    await Promise.race([delay(after), ended]);
    child.kill('SIGKILL');
  }
  return ended;
}

describe('a process killed in the middle of a map', () => {
  it('[embedded-platform 34] 1,000 children, SIGKILL at 20 random moments: resumes, reruns no finished child', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'agentmill-kill-'));
    directories.push(directory);
    const rng = seededRng('states-kill', 1);
    const finished = new Set<string>();
    const callsOf = (): string[] => {
      try {
        return readFileSync(join(directory, 'calls.log'), 'utf8').split('\n').filter(Boolean);
      } catch {
        return [];
      }
    };
    let seen = 0;
    let kills = 0;
    for (; kills < 20; kills++) {
      const code = await life(directory, 1000, rng.below(25));
      // What was finished when the last process died may not be called by this one.
      const calls = callsOf();
      for (const call of calls.slice(seen)) expect(finished.has(call.split(' ')[0]!), call).toBe(false);
      seen = calls.length;
      if (code === 0) break;
      const reader = bareEngine({ store: join(directory, 'states.sqlite') });
      const [run] =
        reader.listMapRuns((await reader.list({ machine: 'map' })).items[0]?.executionArn ?? '') ?? [];
      for (
        let cursor: string | undefined, first = true;
        run && (first || cursor !== undefined);
        first = false
      ) {
        const page = reader.listChildren(run.mapRunArn, {
          status: 'SUCCEEDED',
          limit: 1000,
          ...(cursor === undefined ? {} : { cursor }),
        });
        for (const { executionArn } of page.items) finished.add(executionArn);
        cursor = page.cursor;
      }
      await reader.close();
    }
    expect(kills).toBe(20);
    expect(await life(directory, 1000, undefined)).toBe(0);
    for (const call of callsOf().slice(seen)) expect(finished.has(call.split(' ')[0]!), call).toBe(false);

    const engine = bareEngine({ store: join(directory, 'states.sqlite') });
    const { executionArn } = (await engine.list({ machine: 'map' })).items[0]!;
    expect(await engine.describe(executionArn)).toMatchObject({ status: 'SUCCEEDED', output: 500_500 });
    const [run] = engine.listMapRuns(executionArn);
    expect(run).toMatchObject({ status: 'SUCCEEDED', executions: { SUCCEEDED: 1000, RUNNING: 0 } });
    const children = engine.listChildren(run!.mapRunArn, { limit: 1000 }).items;
    for (const arn of [executionArn, ...children.map((child) => child.executionArn)]) {
      const events = await allEvents(engine, arn);
      expect(events.map((event) => event.id)).toEqual(events.map((_, index) => index + 1));
      expect(events.at(-1)!.type).toBe('ExecutionSucceeded');
    }
    await engine.close();
  }, 240_000);
});
