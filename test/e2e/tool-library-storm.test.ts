import { afterAll, beforeAll, expect, test } from 'vitest';
import type { HistoryEvent } from '#shared/storage/ports.ts';
import { openLibraryPlatform, type LibraryPlatform } from './tool-library-platform.ts';

/** A model that turns every call away once. `AGENTMILL_STORM=1000` for the size of the specification. */

const PROBLEMS = Number(process.env.AGENTMILL_STORM ?? 60);
const LONG = 1_200_000;

/** Events that an execution may have (specification section 4). */
const MAX_EVENTS: Record<string, number> = { parent: 500, 'update-tree': 3500 };
const MAX_CHILD_EVENTS = 1000;
const MAX_PAYLOAD = 32 * 1024;

const SYLLABLES = ['ba', 'de', 'fi', 'go', 'lu', 'ma', 'ne', 'pi', 'ro', 'su'];

/** Goods nobody has heard of, so that tools, which are named for them, are as many as the problems. */
const goodsOf = (n: number): string => {
  const digit = (place: number): string => SYLLABLES[Math.floor(n / 10 ** place) % 10]!;
  return `${digit(0)}${digit(1)}${digit(2)}ns`;
};

/** Solved problems of three kinds, no two alike. */
function problem(n: number): { question: string; reasoning: string; answer: string } {
  const good = goodsOf(n);
  const [many, each, other] = [20 + n, 3 + (n % 7), 11 + (n % 5)];
  const all = many * each;
  const kinds = [
    [
      `A stall sells ${many} ${good} at $${each} each and pays $${other} rent. How much profit does it make?`,
      `Sales are <<${many}*${each}=${all}>>${all}. Profit is <<${all}-${other}=${all - other}>>${all - other}.`,
      all - other,
    ],
    [
      `A shop has ${many} boxes with ${each} ${good} in each box and gets ${other} more ${good}. How many ${good} are there?`,
      `The boxes hold <<${many}*${each}=${all}>>${all}. In all <<${all}+${other}=${all + other}>>${all + other}.`,
      all + other,
    ],
    [
      `At the fair ${all} ${good} are shared equally by ${each} children. How many ${good} does each child get?`,
      `Each gets <<${all}/${each}=${many}>>${many}.`,
      many,
    ],
  ] as const;
  const [question, reasoning, answer] = kinds[n % 3]!;
  return { question, reasoning, answer: String(answer) };
}

let world: LibraryPlatform;
beforeAll(async () => {
  world = await openLibraryPlatform();
}, LONG);
afterAll(() => world?.close());

interface Measured {
  executions: number;
  mostEvents: number;
  largestPayload: number;
}

const payloadsOf = (event: HistoryEvent): string[] =>
  Object.values(event).flatMap((details: unknown) => {
    if (typeof details !== 'object' || details === null) return [];
    const { input, output, parameters } = details as Record<string, unknown>;
    return [input, output, parameters].filter((text) => typeof text === 'string');
  });

const measured = (histories: readonly HistoryEvent[][]): Measured => ({
  executions: histories.length,
  mostEvents: Math.max(...histories.map((events) => events.length)),
  largestPayload: Math.max(
    ...histories
      .flat()
      .flatMap(payloadsOf)
      .map((text) => Buffer.byteLength(text)),
  ),
});

/** Histories of a job's own execution and of every child, by the Map that started it. */
async function historiesOf(executionArn: string): Promise<Record<string, Measured>> {
  const { engine } = world.platform;
  const found: Record<string, Measured> = { parent: measured([await world.history(executionArn)]) };
  const byMap = new Map<string, HistoryEvent[][]>();
  for (const { mapRunArn } of engine.listMapRuns(executionArn)) {
    const label = /\/([^:]+):/.exec(mapRunArn)![1]!;
    const { items, cursor } = engine.listChildren(mapRunArn, { limit: 1000 });
    expect(cursor, label).toBeUndefined();
    const histories = await Promise.all(items.map((child) => world.history(child.executionArn)));
    byMap.set(label, [...(byMap.get(label) ?? []), ...histories]);
  }
  for (const [label, histories] of byMap) found[label] = measured(histories);
  return found;
}

test(
  `[tool-library 27] a storm of 429 over ${PROBLEMS} problems loses no item; no payload and no history, of parent or child, grows beyond its cap`,
  async () => {
    const turnedAway = new Set<string>();
    world.answer(({ body, role }) => {
      if (!turnedAway.has(body)) {
        turnedAway.add(body);
        return { status: 429, headers: { 'retry-after': '0' } };
      }
      return JSON.stringify(
        role === 'judge-tools' ? { verdict: 'EFFECTIVE', improvements: [] } : { verdict: 'PASS' },
      );
    });
    const problems = Array.from({ length: PROBLEMS }, (_, n) => problem(n));
    const job = await world.run({
      source: await world.put('storm', problems),
      libraryId: 'storm',
      review: 'execute',
      tree: { seed: 20, batch: 20 },
      models: { 'judge-tools': 'stub', 'review-blueprint': 'stub', 'review-code': 'stub' },
    });
    expect(job.yields).toMatchObject({ problems: PROBLEMS, duplicates: 0, admitted: PROBLEMS, rejected: 0 });
    expect(turnedAway.size).toBeGreaterThan(PROBLEMS);
    expect((await world.content(job)).losslessness).toMatchObject({ coverage: 1 });

    const found = await historiesOf(job.executionId!);
    if (process.env.AGENTMILL_STORM !== undefined) console.log(turnedAway.size, job.yields, found);
    expect(Object.keys(found).sort()).toEqual([
      'aggregate',
      'assign-tools',
      'blueprint',
      'create-tools',
      'embed-tools',
      'parent',
      'update-tree',
      'verify-library',
    ]);
    expect(found['create-tools']!.executions).toBe(Math.ceil(PROBLEMS / 50));
    for (const [name, { mostEvents, largestPayload }] of Object.entries(found)) {
      expect(mostEvents, name).toBeLessThanOrEqual(MAX_EVENTS[name] ?? MAX_CHILD_EVENTS);
      expect(largestPayload, name).toBeLessThanOrEqual(MAX_PAYLOAD);
    }
  },
  LONG,
);
