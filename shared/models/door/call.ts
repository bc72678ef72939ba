import { deadlineExceeded } from '#shared/task/errors.ts';
import type { CachedAnswer, CacheEntry, Keeping } from '../cache/store.ts';
import type { InferContext } from '../context.ts';
import { backOffMs } from '../limits/back-off.ts';
import { checkSchemas, decodeOutput, reaskMessages, type Decoded } from '../structured-output.ts';
import type { InferErrorCode, InferRequest, LedgerRow, ModelEntry, ProviderReply, Usage } from '../types.ts';
import { makeAttempt, stopReason, type AttemptOutcome, type AttemptTask } from './attempt.ts';
import { CODES } from './codes.ts';
import type { Door } from './door.ts';
import type { OnDelta } from './provider-call.ts';
import type { TraceBuilder } from './trace.ts';

/** Time that must be left after a back-off for another attempt. */
const NEXT_ATTEMPT_MS = 4000;

/** One request at one model. */
export interface ModelCall {
  request: InferRequest;
  model: ModelEntry;
  ctx: InferContext;
  kind: 'call' | 'fallback';
  routeReason?: string;
  cacheKey: string;
  trace: TraceBuilder;
  onDelta?: OnDelta;
  /** Deltas already given are void. */
  onReset?(reason: string): void;
  /** How an accepted answer is kept. */
  keep(entry: CacheEntry): Promise<Keeping>;
}

/** What a model made of a request, all attempts counted. */
export type ModelAnswer =
  | { status: 'ok'; entry: CacheEntry }
  | {
      status: 'rejected' | 'failed';
      code: InferErrorCode;
      raw?: string;
      reasoning?: string;
      usage?: Usage;
      finish?: ProviderReply['finish'];
    };

/**
 * Asks one model until the answer is usable, the attempts its errors allow are used, or the one re-ask has been made
 * (model-inference sections 5 and 9). Each attempt reserves anew.
 * @throws as makeAttempt.
 */
export async function callModel(door: Door, call: ModelCall): Promise<ModelAnswer> {
  const { model, ctx, trace } = call;
  checkSchemas(call.request);
  const failures = new Map<InferErrorCode, number>();
  let request = call.request;
  let kind: LedgerRow['kind'] = call.kind;
  let answered = 0;
  let pause = 0;
  let emitted = false;
  const onDelta: OnDelta | undefined =
    call.onDelta &&
    ((delta) => {
      emitted = true;
      call.onDelta!(delta);
    });
  const reset = (reason: string): void => {
    if (emitted) call.onReset?.(reason);
    emitted = false;
  };

  for (;;) {
    if (pause > 0) await wait(call, pause);
    let decoded: Decoded | undefined;
    let kept: CacheEntry | undefined;
    const outcome = await hedged(
      door,
      {
        request,
        model,
        ctx,
        kind,
        ...(call.routeReason === undefined ? {} : { routeReason: call.routeReason }),
        ordinal: trace.attempts + 1,
        answered,
        cacheKey: call.cacheKey,
        ...(onDelta ? { onDelta } : {}),
        async judge(reply, usage, costMicros) {
          const judged = decodeOutput(reply, call.request, model);
          // The loser of a hedge is not looked at.
          if (kept) return {};
          decoded = judged;
          if (!judged.ok) return { code: judged.code };
          kept = { answer: answerOf(judged, reply, usage, model), usage, costMicros };
          const { put, stands } = await call.keep(kept);
          return {
            keeping: {
              ...(put ? { put } : {}),
              stands: async (refused) => (kept = await stands(refused)),
            },
          };
        },
      },
      trace,
    );

    if (!outcome.answered) {
      const { code, retryAfterMs, untilDeadline } = outcome.error;
      const count = (failures.get(code) ?? 0) + 1;
      failures.set(code, count);
      // Cut short by the deadline: not the endpoint's failure.
      if (code === 'TIMEOUT' && ctx.runtime.clock.now() + NEXT_ATTEMPT_MS > (ctx.deadline ?? Infinity)) {
        throw deadlineExceeded('The deadline cut a call short.');
      }
      if (!untilDeadline && count >= CODES[code].attempts) return { status: CODES[code].status, code };
      reset(code);
      pause = backOffMs(Math.min(count, 16), ctx.rng, retryAfterMs);
      continue;
    }
    answered++;
    pause = 0;
    if (kept) {
      if (kept.answer.repairs.length > 0) {
        door.metrics.add({ workflow: ctx.workflow, model: model.name, provider: model.provider }, 'Repairs');
      }
      return { status: 'ok', entry: kept };
    }
    const bad = decoded as Decoded & { ok: false };
    const count = (failures.get(bad.code) ?? 0) + 1;
    failures.set(bad.code, count);
    if ((bad.code === 'PARSE_ERROR' || bad.code === 'SCHEMA_INVALID') && kind !== 'reask') {
      reset('reask');
      kind = 'reask';
      request = { ...call.request, messages: reaskMessages(call.request, bad.raw, bad.errors) };
      continue;
    }
    if (count < CODES[bad.code].attempts) {
      reset(bad.code);
      continue;
    }
    return {
      status: 'rejected',
      code: bad.code,
      raw: bad.raw,
      usage: outcome.usage,
      finish: outcome.reply.finish,
      ...(bad.reasoning ? { reasoning: bad.reasoning } : {}),
    };
  }
}

function answerOf(
  decoded: Decoded & { ok: true },
  reply: ProviderReply,
  usage: Usage,
  model: ModelEntry,
): CachedAnswer {
  return {
    finish: reply.finish,
    text: decoded.text,
    ...(decoded.reasoning ? { reasoning: decoded.reasoning } : {}),
    ...(decoded.output === undefined ? {} : { output: decoded.output }),
    ...(decoded.toolCalls ? { toolCalls: decoded.toolCalls } : {}),
    repairs: decoded.repairs,
    model: model.name,
    provider: model.provider,
    tokens: { input: usage.input, output: usage.output },
  };
}

async function wait({ ctx }: ModelCall, ms: number): Promise<void> {
  const { clock } = ctx.runtime;
  if (clock.now() + ms + NEXT_ATTEMPT_MS > (ctx.deadline ?? Infinity)) {
    throw deadlineExceeded('The deadline leaves no time for another attempt.');
  }
  try {
    await clock.sleep(ms, ctx.signal);
  } catch (error) {
    throw stopReason({ ctx }) ?? error;
  }
}

/**
 * Makes an attempt, and a second one beside it when the first has not answered after `hedgeAfterMs`. The first answer
 * counts; the other attempt is stopped and settled.
 */
async function hedged(door: Door, task: AttemptTask, trace: TraceBuilder): Promise<AttemptOutcome> {
  const { hedgeAfterMs } = task.request;
  if (hedgeAfterMs === undefined || task.onDelta) return trace.count(await makeAttempt(door, task));
  const { clock } = task.ctx.runtime;
  const first = new AbortController();
  const second = new AbortController();
  const timer = new AbortController();
  const main = makeAttempt(door, { ...task, signal: first.signal });
  const hedge = clock.sleep(hedgeAfterMs, timer.signal).then(
    () => makeAttempt(door, { ...task, kind: 'hedge', ordinal: task.ordinal + 1, signal: second.signal }),
    () => undefined,
  );
  // A first attempt that fails before its time is retried, not hedged.
  void main.then(
    (outcome) => outcome.answered || timer.abort(),
    () => timer.abort(),
  );
  const answered = async (attempt: Promise<AttemptOutcome | undefined>): Promise<AttemptOutcome> => {
    const outcome = await attempt;
    if (outcome?.answered) return outcome;
    throw outcome ?? new Error('not hedged');
  };
  try {
    const winner = await Promise.any([answered(main), answered(hedge)]);
    return winner;
  } catch {
    // Neither answered: the first one's failure is the request's.
    return await main;
  } finally {
    timer.abort();
    first.abort();
    second.abort();
    for (const settled of await Promise.allSettled([main, hedge])) {
      if (settled.status === 'fulfilled' && settled.value) trace.count(settled.value);
    }
  }
}
