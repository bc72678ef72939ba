import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AnswerCache, type CacheEntry } from '#shared/models/cache/store.ts';
import { embeddedRuntime, manualClock, type TestRuntime } from '#test/support/runtime.ts';
import { reply, request, scripted, testDoor } from '../support/door.ts';

const DAY_MS = 86_400_000;
const KEY = 'ab'.repeat(32);
let world: TestRuntime;
let clock: ReturnType<typeof manualClock>;
let cache: AnswerCache;
beforeEach(async () => {
  clock = manualClock();
  world = await embeddedRuntime({ clock });
  cache = new AnswerCache(world.runtime);
});
afterEach(() => world.close());

const entry = (text: string): CacheEntry => ({
  answer: {
    finish: 'stop',
    text,
    repairs: [],
    model: 'm',
    provider: 'openai',
    tokens: { input: 600, output: 300 },
  },
  usage: { input: 600, output: 300 },
  costMicros: 750,
});
const bodies = async (): Promise<string[]> => {
  const { objects } = await world.runtime.artifacts.list({ prefix: 'cache/' });
  return objects.map(({ key }) => key);
};

describe('the cache of answers', () => {
  it('keeps answers up to 32 KiB in the records and larger ones in artifacts', async () => {
    await cache.put(KEY, entry('x'.repeat(30_000)), false);
    expect(await bodies()).toEqual([]);
    const other = 'cd'.repeat(32);
    // Under 32 Ki characters, over 32 KiB.
    const large = entry('é'.repeat(17_000));
    await cache.put(other, large, false);
    expect(await bodies()).toEqual([`cache/cd/${other}.json`]);
    expect(await cache.get(other)).toEqual(large);
    expect((await cache.get(KEY))!.answer.text).toHaveLength(30_000);
  });

  it.each([
    ['small', 10],
    ['large', 100_000],
  ])('lets the first writer of a %s answer win, unless it is refreshed', async (_name, size) => {
    const first = entry('1'.repeat(size));
    const second = entry('2'.repeat(size));
    expect(await cache.put(KEY, first, false)).toEqual(first);
    expect(await cache.put(KEY, second, false)).toEqual(first);
    expect(await cache.get(KEY)).toEqual(first);
    expect(await cache.put(KEY, second, true)).toEqual(second);
    expect(await cache.get(KEY)).toEqual(second);
  });

  it('asks again when the body of a large answer is gone', async () => {
    await cache.put(KEY, entry('x'.repeat(100_000)), false);
    await world.runtime.artifacts.delete(`cache/ab/${KEY}.json`);
    expect(await cache.get(KEY)).toBeUndefined();
  });

  it.each([
    ['small', 10],
    ['large', 100_000],
  ])('forgets a %s answer after 30 days, and keeps the next one', async (_name, size) => {
    await cache.put(KEY, entry('1'.repeat(size)), false);
    clock.advance(30 * DAY_MS - 60_000);
    expect(await cache.get(KEY)).toBeDefined();
    clock.advance(120_000);
    expect(await cache.get(KEY)).toBeUndefined();
    const next = entry('2'.repeat(size));
    expect(await cache.put(KEY, next, false)).toEqual(next);
    expect(await cache.get(KEY)).toEqual(next);
  });
});

describe('the cache behind the door', () => {
  const draws = () => scripted((_, n) => reply(`draw ${n}`));

  it('`off` neither reads nor writes, `refresh` overwrites, `use` reads', async () => {
    const provider = draws();
    const { infer } = testDoor(world.runtime, { provider });
    const text = async (cacheMode?: 'use' | 'refresh' | 'off'): Promise<string> =>
      (await infer(request('x', cacheMode ? { cache: cacheMode } : {}))).result.text;
    expect(await text('off')).toBe('draw 1');
    expect(await text()).toBe('draw 2');
    expect(await text('off')).toBe('draw 3');
    expect(await text('use')).toBe('draw 2');
    expect(await text('refresh')).toBe('draw 4');
    expect(await text()).toBe('draw 4');
    expect(provider.calls).toHaveLength(4);
  });

  it('jobs share answers, except where the scope is the job', async () => {
    const provider = draws();
    const a = testDoor(world.runtime, { provider });
    const b = testDoor(world.runtime, { provider, jobId: 'test-workflow.bbbbbbbbbbbbbbbbbbbbbbbbbb' });
    expect((await a.infer(request('x'))).result.text).toBe('draw 1');
    expect((await b.infer(request('x'))).result.text).toBe('draw 1');
    expect((await b.infer(request('x'), { cacheScope: 'job' })).result.text).toBe('draw 2');
    expect((await b.infer(request('x'), { cacheScope: 'job' })).trace.cached).toBe(true);
    expect((await a.infer(request('x'), { cacheScope: 'job' })).result.text).toBe('draw 3');
  });

  it('draws above temperature 0 are cached under their sample', async () => {
    const { infer } = testDoor(world.runtime, { provider: draws() });
    const draw = async (sample: number): Promise<string> =>
      (await infer(request('x', { params: { temperature: 1, sample } }))).result.text;
    expect([await draw(0), await draw(1), await draw(0)]).toEqual(['draw 1', 'draw 2', 'draw 1']);
  });

  it('a hit gives the accepted answer to another id, with its own meta', async () => {
    const schema = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] };
    const provider = scripted(() => ({ ...reply('<think>so</think>{"a": 1,}'), finish: 'stop' as const }));
    const { infer } = testDoor(world.runtime, { provider });
    const one = request('x', { output: { name: 'answer', schema }, meta: { row: 1 } });
    const first = await infer(one);
    const second = await infer({ ...one, id: 'y', meta: { row: 2 } });
    expect(first.result.repairs.length).toBeGreaterThan(0);
    expect(second.result).toEqual({ ...first.result, id: 'y', meta: { row: 2 } });
    expect(second.trace).toMatchObject({ cached: true, costMicros: 0, savedMicros: first.trace.costMicros });
  });
});
