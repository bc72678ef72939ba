import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { seededRng } from '#shared/determinism/rng.ts';
import { allEvents, bareEngine } from '#test/local/states/engine/support.ts';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

/** Runs the child, which dies at its SQLite statement `dieAt`; resolves with its exit code, null when killed. */
function life(directory: string, items: number, dieAt?: number): Promise<number | null> {
  const script = [join(import.meta.dirname, 'states-child.ts'), directory, String(items)];
  const child = spawn(
    process.execPath,
    ['--import', join(import.meta.dirname, 'die-at-statement.ts'), ...script],
    {
      env: { ...process.env, ...(dieAt !== undefined && { DIE_AT_STATEMENT: String(dieAt) }) },
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  return new Promise((resolve) => child.once('close', resolve));
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
    for (let kills = 0; kills < 20; kills++) {
      // The whole run takes 14 statements a child: no life is long enough to end it.
      expect(await life(directory, 1000, rng.below(1000))).toBe(null);
      // What was finished when the last process died may not be called by this one.
      const calls = callsOf();
      for (const call of calls.slice(seen)) expect(finished.has(call.split(' ')[0]!), call).toBe(false);
      seen = calls.length;
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
    // They died at work: many children were finished by then.
    expect(finished.size).toBeGreaterThan(100);
    expect(await life(directory, 1000)).toBe(0);
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
  }, 900_000);
});
