import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ApiClient } from '#cli/client.ts';
import { followJob } from '#cli/follow.ts';
import { makeOutput } from '#cli/output.ts';
import type { Clock } from '#shared/determinism/clock.ts';
import type { Job, JobEvent } from '#shared/task/jobs.ts';

/** What a person sees while a job runs. */

const job = (over: Partial<Job>): Job =>
  ({
    jobId: 'sample.abcdefghijklmnopqrstuvwxyz',
    workflow: 'sample',
    status: 'RUNNING',
    owner: 'me',
    attempt: 1,
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
    progress: { stage: '', done: 0, total: 0 },
    yields: {},
    cost: { microUsd: 0, calls: 0, cacheHits: 0, tokensIn: 0, tokensOut: 0, savedMicros: 0 },
    ...over,
  }) as Job;

const at = (stage: string, done: number, total: number, over: Partial<Job> = {}): Job =>
  job({ progress: { stage, done, total }, ...over });

/** A client that shows one state a look. */
function scripted(states: Job[], events: Partial<JobEvent>[][] = []): ApiClient {
  let look = -1;
  return {
    job: async () => states[Math.min(++look, states.length - 1)]!,
    events: async () => ({ items: (events[look] ?? []) as JobEvent[] }),
  } as unknown as ApiClient;
}

const STAGES = { Read: 'documents', Write: 'pairs' };

/** What a terminal of 80 columns shows after the bytes: it knows line ends, up, and clear-to-end. */
function screenOf(bytes: string): string[] {
  let lines: string[] = [''];
  let row = 0;
  for (const part of bytes.split(/(\x1b\[\d*[A-Z])/)) {
    const code = /^\x1b\[(\d*)([A-Z])$/.exec(part);
    if (code?.[2] === 'A') row -= Number(code[1]);
    else if (code?.[2] === 'J') {
      lines = [...lines.slice(0, row), ''];
    } else {
      part.split('\n').forEach((text, n) => {
        if (n > 0) lines[++row] ??= '';
        lines[row] += text;
      });
    }
  }
  return lines.filter((line, n) => line !== '' || n < lines.length - 1);
}

let written = '';
beforeEach(() => {
  written = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

const terminal = (isTTY: boolean, columns = 80): void => {
  vi.spyOn(process.stderr, 'isTTY', 'get').mockReturnValue(isTTY);
  vi.spyOn(process.stderr, 'columns', 'get').mockReturnValue(columns);
};

/** Time that passes only while somebody waits for it. */
function playedClock(): Clock {
  let now = Date.parse('2026-01-01T00:00:00Z');
  return {
    now: () => now,
    sleep: async (ms) => void (now += ms),
  };
}

/** Follows to the end; what stood on the screen after each look. */
async function follow(
  states: Job[],
  options: { quiet?: boolean; json?: boolean; events?: Partial<JobEvent>[][]; since?: Job } = {},
) {
  const output = makeOutput({ json: options.json ?? false, quiet: options.quiet ?? false, color: false });
  const screens: string[][] = [];
  const client = scripted(states, options.events);
  const look = client.job.bind(client);
  client.job = async (id) => {
    screens.push(screenOf(written));
    return look(id);
  };
  await followJob(client, 'x', output, {
    stages: STAGES,
    stop: new AbortController().signal,
    clock: playedClock(),
    ...(options.since ? { since: { job: options.since, cursor: undefined } } : {}),
  });
  screens.push(screenOf(written));
  return screens;
}

const hasDescriptors = Object.getOwnPropertyDescriptor(process.stderr, 'isTTY') !== undefined;
beforeEach(() => {
  // Where stderr is a pipe these members are missing: they are given, so that they can be played.
  if (!hasDescriptors) {
    for (const name of ['isTTY', 'columns'])
      Object.defineProperty(process.stderr, name, { configurable: true, get: () => undefined });
  }
});
afterEach(() => {
  if (!hasDescriptors) for (const name of ['isTTY', 'columns']) Reflect.deleteProperty(process.stderr, name);
});

describe('on a terminal', () => {
  test('two lines are redrawn in place: bar, counts, rate, time left, cost of the budget', async () => {
    terminal(true);
    const cost = { microUsd: 1200, calls: 30, cacheHits: 4, tokensIn: 0, tokensOut: 0, savedMicros: 0 };
    const screens = await follow([
      at('Read', 0, 100),
      ...Array.from({ length: 8 }, (_, n) => at('Read', 10 * (n + 1), 100)),
      at('Write', 1, 2, {
        yields: { pairs: 1204 },
        cost,
        budget: { microUsd: 2_000_000 },
        model: 'stub',
      } as Partial<Job>),
      at('Write', 2, 2, { status: 'SUCCEEDED' }),
    ]);
    const all = screens.map((lines) => lines.join('\n'));
    expect(screens.every((lines) => lines.length <= 2)).toBe(true);
    expect(all).toContainEqual(
      expect.stringMatching(/^\[1\/2\] Read ░{24} 0\/100 documents\n {6}0 calls · \$0\.00 · builtin$/),
    );
    expect(all).toContainEqual(
      expect.stringMatching(/^\[1\/2\] Read █{12}░{12} 50\/100 documents \(33\/s, 1\.5 s left\)/),
    );
    expect(all).toContainEqual(
      expect.stringMatching(
        /^\[2\/2\] Write █{12}░{12} 1\/2 pairs\n {6}1,204 pairs · 30 calls \(\+4 cached\) · \$0\.0012 of \$2\.00 · stub$/,
      ),
    );
    // At the end the bar is gone: what follows is the summary.
    expect(screens.at(-1)).toEqual([]);
  });

  test('warnings stand above the bar and stay; lines never wrap; control codes of others are shown harmless', async () => {
    terminal(true, 30);
    const screens = await follow(
      [at('Read', 1, 3), at('Read', 2, 3), at('Read', 3, 3, { status: 'FAILED' })],
      {
        events: [
          [],
          [
            { level: 'warning', message: 'a \x1b[2Jbad\x07 file' } as unknown as Partial<JobEvent>,
            { level: 'info', message: 'quiet' },
          ],
        ],
      },
    );
    for (const lines of screens)
      for (const line of lines.slice(-2)) expect(line.length).toBeLessThanOrEqual(30);
    expect(screens.at(-1)).toEqual(['warning: a \ufffd[2Jbad\ufffd file']);
  });

  test('a job that waits for its next attempt shows neither bar nor counts of the last', async () => {
    terminal(true);
    const before = at('Write', 2, 2, { status: 'FAILED', yields: { pairs: 9 } });
    const screens = await follow(
      [
        at('Write', 2, 2, { status: 'QUEUED', yields: { pairs: 9 } }),
        at('Write', 2, 2, { status: 'SUCCEEDED', yields: { pairs: 12 } }),
      ],
      { since: before },
    );
    expect(screens[1]![0]).toMatch(/^queued ░{24}/);
    expect(screens.flat().join('\n')).not.toContain('9 pairs');
  });
});

describe('elsewhere', () => {
  test('lines at stage changes and every ten seconds, without control codes', async () => {
    terminal(false);
    const states = [
      ...Array.from({ length: 40 }, (_, n) => at('Read', n, 100)),
      at('Write', 1, 2),
      at('Write', 2, 2, { status: 'SUCCEEDED' }),
    ];
    await follow(states);
    expect(written).not.toMatch(/\x1b/);
    const lines = written.trim().split('\n');
    expect(lines[0]).toBe('[1/2] Read  0/100 documents  0 calls · $0.00 · builtin');
    expect(lines.at(-1)).toMatch(/^\[2\/2\] Write {2}1\/2 pairs/);
    // 40 looks of 0.3 s are 12 s: the change, once after ten seconds, and the next stage.
    expect(lines.filter((line) => line.startsWith('[1/2] Read'))).toHaveLength(2);
  });

  test.each([{ quiet: true }, { json: true }])('%j draws no bar', async (options) => {
    terminal(true);
    await follow([at('Read', 1, 2), at('Read', 2, 2, { status: 'SUCCEEDED' })], options);
    expect(written).not.toMatch(/\x1b|█/);
    if (options.quiet) expect(written).toBe('');
  });
});
