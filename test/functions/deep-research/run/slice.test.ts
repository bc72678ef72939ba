import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { promptOf } from '#functions/deep-research/agent/prompt.ts';
import { noteSk, runPk } from '#functions/deep-research/keys.ts';
import { loadRun, replayRun } from '#functions/deep-research/run/load.ts';
import { driveSlice, MAX_TURNS } from '#functions/deep-research/run/slice.ts';
import { loadEvents, loadHead, loadSteps, loadTexts } from '#functions/deep-research/run/store.ts';
import type { ResearchConfig } from '#functions/deep-research/config.ts';
import type { Clock } from '#shared/determinism/clock.ts';
import { readText, writeJsonl } from '#shared/storage/jsonl.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';
import {
  answer,
  call,
  createRun,
  JOB,
  okResult,
  researchConfig,
  scriptedWorld,
  search,
  searching,
  untilDone,
} from './support.ts';

let world: TestRuntime;
let config: ResearchConfig;
beforeEach(async () => {
  world = await embeddedRuntime();
  config = await researchConfig();
});
afterEach(() => world.close());

const stepsOf = (runId: string) => loadSteps(world.runtime.records, JOB, runId);
const headOf = (runId: string) => loadHead(world.runtime.records, JOB, runId);

/** What must be the same however a run came about. */
async function fingerprint(runId: string): Promise<unknown> {
  const steps = await stepsOf(runId);
  const texts = await Promise.all(
    steps.map(async (step) => {
      const { reply, observation } = await loadTexts(world.runtime.artifacts, step);
      return [step.n, step.attempt, step.call, reply.text, observation?.observation];
    }),
  );
  const { answer: said, status, endReason } = (await headOf(runId)).run;
  return { texts, said, status, endReason };
}

describe('a slice', () => {
  it('drives a run to its answer, every step committed with what it refers to', async () => {
    const runId = await createRun(world.runtime, config);
    const slice = await scriptedWorld(world.runtime, config, searching(3));
    expect(await driveSlice(slice, { runId, turns: 0 })).toEqual({ status: 'DONE', turns: 1 });
    const steps = await stepsOf(runId);
    expect(steps.map(({ n, outcome, parse }) => [n, outcome, parse])).toEqual([
      [1, 'call', 'ok'],
      [2, 'call', 'ok'],
      [3, 'call', 'ok'],
      [4, 'answer', 'ok'],
    ]);
    const { run } = await headOf(runId);
    expect(run).toMatchObject({
      status: 'answered',
      steered: false,
      answer: { markdown: '2,850 km', short: '2,850 km', partial: false, citations: [] },
      usage: {
        steps: 4,
        modelCalls: 4,
        toolCalls: 3,
        searches: 3,
        promptTokens: 2000,
        outputTokens: 200,
        microUsd: 280,
      },
    });
    // An ended run is left alone.
    expect(await driveSlice(slice, { runId, turns: 0 })).toEqual({ status: 'DONE', turns: 1 });
    expect(slice.asked).toHaveLength(4);
    const seeds = slice.asked.map(({ params }) => params!.seed);
    expect(new Set(seeds).size).toBe(4);
  });

  it('comes to the same state when its steps are folded as when they were made', async () => {
    const runId = await createRun(world.runtime, config);
    const replies: Record<number, string> = {
      1: search('a'),
      2: 'nothing to use',
      3: search('a'),
      4: call('clean_memory', { content: 'kept' }),
      5: search('a'),
      6: call('telephone', {}),
      7: '',
      8: answer('done'),
    };
    let empty = 0;
    const slice = await scriptedWorld(world.runtime, config, {
      reply: (n) => (n === 7 ? (empty++ === 0 ? '' : search('b')) : replies[n]!),
    });
    await untilDone(slice, runId);
    expect(slice.executed.map(({ call: { arguments: args } }) => args.query)).toEqual(['a', 'b']);
    const prompts = slice.asked.map(({ messages }) => messages);
    const told = [];
    for await (const { before, agent } of replayRun(slice, runId))
      told.push(promptOf(before, agent).messages);
    // The empty first sample of step 7 had the same prompt as the second.
    expect(told).toEqual([...prompts.slice(0, 6), ...prompts.slice(7)]);
    expect((await stepsOf(runId))[6]).toMatchObject({ attempt: 1, resampled: [{ errorCode: 'empty' }] });
    const { state } = await loadRun(slice, runId);
    expect(state.usage).toEqual((await headOf(runId)).run.usage);
    expect(state.ended).toMatchObject({ status: 'answered', answer: { text: 'done' } });
  });

  it('[deep-research 8] keeps the whole of a result that was cut for the prompt', async () => {
    const runId = await createRun(world.runtime, config);
    const long = Array.from({ length: 9000 }, (_, k) => `line ${k} of a long page`).join('\n');
    const slice = await scriptedWorld(world.runtime, config, {
      reply: (n) => (n === 1 ? call('browse_page', { url: 'corpus://a' }) : answer('x')),
      tool: () => long,
    });
    await untilDone(slice, runId);
    const [first] = await stepsOf(runId);
    const stored = JSON.parse(await readText(world.runtime.artifacts, first!.observationRef!.key)) as {
      observation: { text: string };
    };
    expect(stored.observation.text).toBe(long);
    const prompt = JSON.stringify(slice.asked[1]!.messages);
    expect(prompt).toMatch(/\[truncated: \d+ of \d+ tokens kept\]/);
    expect(prompt).not.toContain('line 8999');
  });

  it('[deep-research 17] killed between tool and commit: one tool execution, one charge, the same output', async () => {
    const whole = await createRun(world.runtime, config, 0);
    await untilDone(await scriptedWorld(world.runtime, config, searching(6)), whole);
    const expected = await fingerprint(whole);
    const other = await researchConfig({ seed: 1 });
    const runId = await createRun(world.runtime, other, 0);
    const executed: number[] = [];
    let charged = 0;
    for (let life = 0; life < 30; life++) {
      // Every life dies at another write.
      let left = life;
      const dying = new Proxy(world.runtime.records, {
        get(target, name) {
          const member: unknown = Reflect.get(target, name, target);
          if (typeof member !== 'function') return member;
          return async (...args: unknown[]) => {
            if (name === 'putEach' && left-- === 0) throw new Error('killed before the commit');
            return (member as (...given: unknown[]) => unknown).apply(target, args);
          };
        },
      });
      const slice = await scriptedWorld(world.runtime, other, searching(6), { records: dying });
      try {
        await untilDone(slice, runId);
        executed.push(...slice.executed.map(({ n }) => n));
        charged += slice.asked.length;
        break;
      } catch (error) {
        expect((error as Error).message).toBe('killed before the commit');
      }
      executed.push(...slice.executed.map(({ n }) => n));
      charged += slice.asked.length;
    }
    expect(executed).toEqual([1, 2, 3, 4, 5, 6]);
    expect(charged).toBe(7);
    expect(await fingerprint(runId)).toEqual(expected);
  });

  it('[deep-research 18] two slices of one run: every step is committed once', async () => {
    const runId = await createRun(world.runtime, config);
    const slices = await Promise.all([0, 1].map(() => scriptedWorld(world.runtime, config, searching(20))));
    await Promise.all(slices.map((slice) => untilDone(slice, runId)));
    const steps = await stepsOf(runId);
    expect(steps.map(({ n }) => n)).toEqual(Array.from({ length: 21 }, (_, k) => k + 1));
    expect((await headOf(runId)).run).toMatchObject({
      status: 'answered',
      usage: { steps: 21, modelCalls: 21 },
    });
  });

  it('[deep-research 20] 100 steps over 60 simulated minutes: several slices, each within its time', async () => {
    let now = Date.parse('2026-01-01T00:00:00Z');
    const clock: Clock = { now: () => now, sleep: async () => undefined };
    await world.close();
    world = await embeddedRuntime({ clock });
    const runId = await createRun(world.runtime, config);
    const spans: number[] = [];
    let slices = 0;
    for (let turns = 0; ;) {
      const began = now;
      const slice = await scriptedWorld(world.runtime, config, {
        reply(n) {
          now += 30_000;
          return n <= 99 ? search(`query ${n}`) : answer('x');
        },
        tool() {
          now += 6_000;
          return 'found';
        },
      });
      const result = await driveSlice(slice, { runId, turns });
      spans.push(now - began);
      slices++;
      turns = result.turns;
      expect(Buffer.byteLength(JSON.stringify(result))).toBeLessThan(32_768);
      if (result.status === 'DONE') break;
      expect(result.status).toBe('RUNNING');
    }
    expect(slices).toBeGreaterThanOrEqual(5);
    expect(Math.max(...spans)).toBeLessThanOrEqual(900_000 - 30_000);
    expect(await stepsOf(runId)).toHaveLength(100);
  });

  it('[deep-research 21] by token: the same steps as the synchronous run, and a doubled completion changes nothing', async () => {
    const sync = await createRun(world.runtime, config);
    await untilDone(await scriptedWorld(world.runtime, config, searching(20)), sync);
    const later = await researchConfig({}, 'later');
    const runId = await createRun(world.runtime, later);
    let turns = 0;
    for (;;) {
      const slice = await scriptedWorld(world.runtime, later, searching(20));
      const result = await driveSlice(slice, { runId, turns });
      turns = result.turns;
      expect(slice.asked).toEqual([]);
      if (result.status === 'DONE') break;
      if (result.status !== 'AWAIT_MODEL') throw new Error(result.status);
      const [line] = (await readText(world.runtime.artifacts, result.requests.key)).trim().split('\n');
      const request = JSON.parse(line!) as Parameters<typeof okResult>[0];
      const n = Number(request.meta!.step);
      const text = await searching(20).reply(n, request);
      await writeJsonl(world.runtime.artifacts, `${result.prefix}/results.jsonl`, [
        okResult(request, text as string),
      ]);
      // The completion comes twice: a second slice goes first.
      if (n === 7)
        await driveSlice(await scriptedWorld(world.runtime, later, searching(20)), { runId, turns });
    }
    expect(await fingerprint(runId)).toEqual(await fingerprint(sync));
    expect(turns).toBe(22);
  });

  it('yields to another passage after its turns, and goes on there', async () => {
    const runId = await createRun(world.runtime, config);
    const slice = await scriptedWorld(world.runtime, config, searching(2), {
      deadline: world.runtime.clock.now() + 10_000,
    });
    expect(await driveSlice(slice, { runId, turns: MAX_TURNS - 1 })).toEqual({
      status: 'YIELD',
      turns: MAX_TURNS,
    });
    const next = await scriptedWorld(world.runtime, config, searching(2));
    expect(await driveSlice(next, { runId, turns: 0 })).toMatchObject({ status: 'DONE' });
  });

  it('[deep-research 22] a note is in every later prompt, marks the run, and is told', async () => {
    const runId = await createRun(world.runtime, config);
    const slice = await scriptedWorld(
      world.runtime,
      config,
      {
        async reply(n) {
          if (n === 2)
            await world.runtime.records.put({
              pk: runPk(JOB, runId),
              sk: noteSk(1),
              attributes: { text: 'In miles, please.' },
            });
          return n <= 4 ? search(`query ${n}`) : answer('1,770 miles');
        },
      },
      { interactive: true },
    );
    await untilDone(slice, runId);
    const held = slice.asked.map(({ messages }) => JSON.stringify(messages).includes('In miles, please.'));
    expect(held).toEqual([false, false, true, true, true]);
    expect((await headOf(runId)).run.steered).toBe(true);
    const events = (await loadEvents(world.runtime.records, JOB, runId)).flatMap((step) =>
      step.events.map(({ type }, k) => `${step.n}.${k} ${type}`),
    );
    expect(events).toEqual([
      '0.0 run.started',
      '1.0 step.call',
      '1.1 step.observed',
      '2.0 step.call',
      '2.1 step.observed',
      '3.0 note.accepted',
      '3.1 step.call',
      '3.2 step.observed',
      '4.0 step.call',
      '4.1 step.observed',
      '5.0 run.ended',
    ]);
  });

  it('[deep-research 23] a cancel ends the run within one step, and nothing runs after', async () => {
    const runId = await createRun(world.runtime, config);
    const slice = await scriptedWorld(world.runtime, config, {
      reply(n) {
        if (n === 3) slice.stop = true;
        return search(`query ${n}`);
      },
    });
    expect(await driveSlice(slice, { runId, turns: 0 })).toMatchObject({ status: 'DONE' });
    expect((await headOf(runId)).run).toMatchObject({ status: 'cancelled', endReason: 'cancelled' });
    expect(slice.executed.map(({ n }) => n)).toEqual([1, 2]);
    expect(await stepsOf(runId)).toHaveLength(2);
    expect(await driveSlice(slice, { runId, turns: 0 })).toMatchObject({ status: 'DONE' });
    expect(slice.asked).toHaveLength(3);
    // Another attempt of the job takes it up again.
    const next = await scriptedWorld(world.runtime, config, searching(4), { attempt: 2 });
    await untilDone(next, runId);
    expect((await headOf(runId)).run).toMatchObject({ status: 'answered', usage: { steps: 5 } });
    expect((await headOf(runId)).run.endReason).toBeUndefined();
  });

  it('fails when the model stays away, and goes on in the next attempt of the job', async () => {
    const runId = await createRun(world.runtime, config);
    const slice = await scriptedWorld(world.runtime, config, {
      reply: (n, request) =>
        n < 3
          ? search(`query ${n}`)
          : {
              ...okResult(request, ''),
              status: 'failed',
              error: { code: 'UNAVAILABLE', message: 'gone', retryable: true },
            },
    });
    await untilDone(slice, runId);
    expect((await headOf(runId)).run).toMatchObject({
      status: 'failed',
      endReason: 'model_unavailable',
      usage: { steps: 2 },
    });
    const next = await scriptedWorld(world.runtime, config, searching(4), { attempt: 2 });
    await untilDone(next, runId);
    expect(next.asked).toHaveLength(3);
    expect((await headOf(runId)).run.status).toBe('answered');
  });

  it('skips a run whose finalisation cannot be paid, and asks nothing for it', async () => {
    const runId = await createRun(world.runtime, config);
    const slice = await scriptedWorld(world.runtime, config, searching(2), { hold: async () => false });
    await untilDone(slice, runId);
    expect((await headOf(runId)).run).toMatchObject({ status: 'skipped', endReason: 'budget' });
    expect(slice.asked).toEqual([]);
  });
});
