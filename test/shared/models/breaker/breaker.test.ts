import { afterEach, describe, expect, it } from 'vitest';
import { EarlyStop } from '#shared/models/batch/early-stop.ts';
import { Breaker } from '#shared/models/breaker/breaker.ts';
import { AttemptWindow } from '#shared/models/breaker/window.ts';
import { openBudget } from '#shared/models/budget.ts';
import { closeProviders } from '#shared/models/providers/index.ts';
import { ProviderError } from '#shared/models/types.ts';
import { embeddedRuntime, manualClock, type TestRuntime } from '#test/support/runtime.ts';
import { model, reply, request, scripted, testDoor } from '../support/door.ts';

const JOB = 'test-workflow.aaaaaaaaaaaaaaaaaaaaaaaaaa';

/** Lets what is due run, then passes a second. */
async function tick(clock: ReturnType<typeof manualClock>): Promise<void> {
  for (let n = 0; n < 5; n++) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(1000);
}

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

  it('shows in the metrics as the peak since the last flush', async () => {
    const lines: string[] = [];
    const clock = manualClock();
    world = await embeddedRuntime({ clock });
    const runtime = { ...world.runtime, writeLog: (line: string) => void lines.push(line) };
    await openBudget(runtime, JOB, { microUsd: 1_000_000 });
    const provider = scripted((_, attempt) => {
      if (attempt > 10) return reply('well again');
      throw new ProviderError('UNAVAILABLE', 'down', { billed: 'no', httpStatus: 503 });
    });
    const { door, infer } = testDoor(runtime, { provider, jobId: JOB });
    const open = (): unknown => {
      lines.length = 0;
      door.metrics.flush(runtime);
      return lines.map((line) => (JSON.parse(line) as { BreakerOpen?: number }).BreakerOpen);
    };
    const asking = infer(request('never'));
    for (let n = 0; n < 60 && provider.calls.length < 3; n++) await tick(clock);
    expect((await asking).result.error?.code).toBe('UNAVAILABLE');
    expect(open()).toEqual([0]);
    const more = ['a', 'b', 'c', 'd'].map((id) => infer(request(id)));
    for (let n = 0; n < 400 && provider.calls.length < 14; n++) await tick(clock);
    await Promise.all(more);
    // It opened and has closed again since: an alarm that looks once a minute still sees it.
    expect(open()).toEqual([1]);
    await door.close();
  });

  it.each([
    ['AUTH', 15_000],
    ['NOT_FOUND', 15_000],
    ['QUOTA', 600_000],
  ] as const)('opens once for calls that are refused together: %s', async (code, ms) => {
    const clock = manualClock();
    world = await embeddedRuntime({ clock });
    const [here, there] = [new Breaker(world.runtime, 'm'), new Breaker(world.runtime, 'm')];
    await here.closed();
    await there.closed();
    for (let n = 0; n < 8; n++) {
      await (n % 2 ? there : here).after(false, code);
      clock.advance(10);
    }
    const { until, reason } = await here.blockedUntil();
    expect(reason).toBe(code);
    expect(until).toBeLessThanOrEqual(clock.now() - 80 + ms + 20);
    clock.advance(ms);
    expect(await here.enter()).toEqual({ admitted: true, probe: true });
    await here.after(true, code);
    // Refused again: for twice as long.
    const again = await here.blockedUntil();
    expect(again.until - clock.now()).toBe(code === 'QUOTA' ? ms : 2 * ms);
  });

  it('stays closed where the request never left: a missing key fails each call at once', async () => {
    const clock = manualClock();
    world = await embeddedRuntime({ clock });
    const entry = model('m', {
      endpoint: { url: 'http://127.0.0.1:9/v1', auth: { type: 'secret', secret: 'NOT_SET_ANYWHERE' } },
    });
    const { door, infer, ctx } = testDoor(world.runtime, { models: [entry], jobId: JOB });
    for (let n = 0; n < 20; n++) expect((await infer(request(`r${n}`))).result.error?.code).toBe('AUTH');
    expect(await door.gate(ctx.registry.models.get('m')!).breaker.closed()).toBe(true);
    await door.close();
    await closeProviders(world.runtime);
  });

  it('opens after 120 s of nothing but throttling', () => {
    const window = new AttemptWindow();
    expect(window.note(0, 'THROTTLED')).toBe(false);
    expect(window.note(119_999, 'THROTTLED')).toBe(false);
    expect(window.note(120_000, 'THROTTLED')).toBe(true);
  });
});
