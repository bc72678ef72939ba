import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '#shared/determinism/clock.ts';
import { cacheCapOf, trimCache, DEFAULT_CACHE_BYTES } from '#shared/models/cache/journal.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { handler as sweep } from '#functions/inference/sweep.ts';
import { withRuntime } from '#shared/task/runtime.ts';
import { embeddedRuntime } from '#test/support/runtime.ts';
import { reply, request, scripted, testDoor } from '../support/door.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function platform(env: Record<string, string> = {}): Promise<Runtime & { advance(ms: number): void }> {
  let ahead = 0;
  const clock = {
    now: () => systemClock.now() + ahead,
    sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms, signal),
  };
  const test = await embeddedRuntime({ env, clock });
  closing.push(test.close);
  return { ...test.runtime, advance: (ms) => void (ahead += ms) };
}

const DAY = 86_400_000;

describe('the cap of the embedded cache', () => {
  it('removes the oldest answers, large ones with their artifacts, and leaves the rest', async () => {
    const env = { AGENTMILL_CACHE_MAX_BYTES: '30000' };
    const runtime = await platform(env);
    const provider = scripted(({ request: { id } }) => reply(id.padEnd(id === 'b' ? 60_000 : 10_000, 'x')));
    const { door, ctx, infer } = testDoor(runtime, { provider });
    for (const id of ['a', 'b', 'c', 'd']) {
      await infer(request(id));
      await door.release(ctx.jobId);
      runtime.advance(1000);
    }
    expect(await runtime.artifacts.list({ prefix: 'cache/' })).toMatchObject({ objects: [{}] });
    expect(await withRuntime(runtime, sweep)).toMatchObject({ cacheRemoved: 2 });
    expect(await withRuntime(runtime, sweep)).toMatchObject({ cacheRemoved: 0 });
    expect(await runtime.artifacts.list({ prefix: 'cache/' })).toMatchObject({ objects: [] });
    const cached = async (id: string) => (await infer(request(id))).trace.cached;
    expect([await cached('c'), await cached('d'), await cached('a'), await cached('b')]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    await door.close();
  });

  it('forgets what has had its 30 days, but not what was refreshed since', async () => {
    const runtime = await platform();
    const { door, ctx, infer } = testDoor(runtime, { provider: scripted(() => reply('yes')) });
    await infer(request('old'));
    await infer(request('renewed'));
    await door.release(ctx.jobId);
    runtime.advance(20 * DAY);
    await infer(request('renewed', { cache: 'refresh' }));
    await door.close();
    runtime.advance(11 * DAY);
    expect(await trimCache(runtime, DEFAULT_CACHE_BYTES)).toBe(1);
    const { items } = await runtime.records.query({ pk: 'CACHE#AGE' });
    expect(items).toHaveLength(1);
    const total = await runtime.records.get({ pk: 'CACHE#SIZE', sk: 'TOTAL' });
    expect(total!.attributes.bytes).toBe(items[0]!.attributes.bytes);
    expect((await infer(request('renewed'))).trace.cached).toBe(true);
  });

  it('is 5 GiB unless the environment says otherwise', () => {
    expect(cacheCapOf({})).toBe(5 * 1024 ** 3);
    expect(cacheCapOf({ AGENTMILL_CACHE_MAX_BYTES: '0' })).toBe(0);
    expect(() => cacheCapOf({ AGENTMILL_CACHE_MAX_BYTES: '5 GiB' })).toThrow('AGENTMILL_CACHE_MAX_BYTES');
  });
});
