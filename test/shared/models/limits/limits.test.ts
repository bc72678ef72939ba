import { afterEach, describe, expect, it } from 'vitest';
import { AdaptiveConcurrency } from '#shared/models/limits/concurrency.ts';
import { RateBucket } from '#shared/models/limits/bucket.ts';
import { embeddedRuntime, manualClock, type TestRuntime } from '#test/support/runtime.ts';
import { virtualClock } from '../support/virtual-clock.ts';

let world: TestRuntime | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

describe('the shared rate', () => {
  it('[model-inference 24] grants 285 to 305 in five minutes at 60 a minute to 5 saturated processes, shared evenly', async () => {
    const clock = virtualClock();
    world = await embeddedRuntime({ clock });
    const { runtime } = world;
    const end = clock.now() + 300_000;
    const grants = await clock.run(() =>
      Promise.all(
        Array.from({ length: 5 }, async () => {
          const bucket = new RateBucket(runtime, 'm', 'rpm', 60);
          for (let count = 0; ; count++) {
            const passed = await bucket.take(1, end).then(
              () => true,
              () => false,
            );
            if (!passed || clock.now() > end) return count;
          }
        }),
      ),
    );
    const all = grants.reduce((sum, one) => sum + one, 0);
    expect(all).toBeGreaterThanOrEqual(285);
    expect(all).toBeLessThanOrEqual(305);
    for (const one of grants) expect(Math.abs(one - all / 5)).toBeLessThanOrEqual(0.2 * (all / 5));
  });

  it('pauses for as long as a server asked', async () => {
    const clock = virtualClock();
    world = await embeddedRuntime({ clock });
    const bucket = new RateBucket(world.runtime, 'm', 'rpm', 6000);
    const start = clock.now();
    await clock.run(async () => {
      await bucket.pauseUntil(start + 30_000);
      await bucket.take(1, Infinity);
    });
    expect(clock.now() - start).toBeGreaterThanOrEqual(30_000);
  });

  it('pauses though others take in the same moment', async () => {
    const clock = virtualClock();
    world = await embeddedRuntime({ clock });
    const [here, there] = [0, 1].map(() => new RateBucket(world!.runtime, 'm', 'rpm', 6000)) as [
      RateBucket,
      RateBucket,
    ];
    const start = clock.now();
    await clock.run(async () => {
      await here.take(1, Infinity);
      // What `here` knows of the shared number is old now.
      await there.take(1, Infinity);
      await here.pauseUntil(start + 30_000);
      await new RateBucket(world!.runtime, 'm', 'rpm', 6000).take(1, Infinity);
    });
    expect(clock.now() - start).toBeGreaterThanOrEqual(30_000);
  });
});

describe('AdaptiveConcurrency', () => {
  it('[model-inference 25] falls 32, 24, 18, 13 … 1 under 429s, once in 2 s, and rises by 1 with 25 successes', () => {
    const clock = manualClock();
    const limiter = new AdaptiveConcurrency(clock, 32, { start: 32 });
    const seen = [limiter.current];
    while (limiter.current > 1) {
      clock.advance(2000);
      limiter.throttled();
      seen.push(limiter.current);
    }
    expect(seen.slice(0, 4)).toEqual([32, 24, 18, 13]);
    expect(seen.at(-1)).toBe(1);
    for (let i = 0; i < 24; i++) limiter.succeeded();
    expect(limiter.current).toBe(1);
    limiter.succeeded();
    expect(limiter.current).toBe(2);

    const burst = new AdaptiveConcurrency(clock, 32, { start: 32 });
    for (let i = 0; i < 10; i++) burst.throttled();
    expect(burst.current).toBe(24);
  });
});
