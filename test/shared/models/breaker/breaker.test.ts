import { afterEach, describe, expect, it } from 'vitest';
import { EarlyStop } from '#shared/models/batch/early-stop.ts';
import { Breaker } from '#shared/models/breaker/breaker.ts';
import { AttemptWindow } from '#shared/models/breaker/window.ts';
import { embeddedRuntime, manualClock, type TestRuntime } from '#test/support/runtime.ts';

let world: TestRuntime | undefined;
afterEach(async () => {
  await world?.close();
  world = undefined;
});

describe('early stop and breaker', () => {
  it('[model-inference 26] stops at 6 of 10 failed, not at 9 of 9 or 5 of 10', () => {
    const after = (...statuses: ('ok' | 'failed')[]): boolean => {
      const stop = new EarlyStop();
      return statuses.map((status) => stop.note(status)).at(-1)!;
    };
    expect(after(...Array<'failed'>(9).fill('failed'))).toBe(false);
    expect(after(...Array<'failed'>(5).fill('failed'), ...Array<'ok'>(5).fill('ok'))).toBe(false);
    expect(after(...Array<'failed'>(6).fill('failed'), ...Array<'ok'>(4).fill('ok'))).toBe(true);
  });

  it('[model-inference 26] opens at attempt 10, and of 50 waiters in two processes one sends the probe', async () => {
    const clock = manualClock();
    world = await embeddedRuntime({ clock });
    const here = new Breaker(world.runtime, 'm');
    const there = new Breaker(world.runtime, 'm');
    for (let i = 1; i <= 10; i++) {
      expect(await here.closed()).toBe(true);
      await here.after(false, 'UNAVAILABLE');
    }
    expect(await here.closed()).toBe(false);
    expect(await here.enter()).toMatchObject({ admitted: false });
    clock.advance(15_001);
    const admissions = await Promise.all(
      Array.from({ length: 50 }, (_, n) => (n % 2 ? here : there).enter()),
    );
    expect(admissions.filter((one) => one.admitted)).toEqual([{ admitted: true, probe: true }]);
    await there.after(true, undefined);
    for (let i = 0; i < 2; i++) {
      clock.advance(1000);
      expect(await there.enter()).toEqual({ admitted: true, probe: true });
      await there.after(true, undefined);
    }
    expect(await there.closed()).toBe(true);
    clock.advance(1000);
    expect(await here.enter()).toEqual({ admitted: true, probe: false });
  });

  it('opens after 120 s of nothing but throttling', () => {
    const window = new AttemptWindow();
    expect(window.note(0, 'THROTTLED')).toBe(false);
    expect(window.note(119_999, 'THROTTLED')).toBe(false);
    expect(window.note(120_000, 'THROTTLED')).toBe(true);
  });
});
