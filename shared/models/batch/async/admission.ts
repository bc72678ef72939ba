import { modelUnavailable } from '#shared/task/errors.ts';
import type { InferContext } from '../../context.ts';
import { awaitBreaker, stopReason } from '../../door/attempt.ts';
import type { Door } from '../../door/door.ts';
import { outputBound, promptBytes } from '../../ledger/cost.ts';
import type { InferRequest, ModelEntry, ProviderError, Usage } from '../../types.ts';
import type { AsyncCall } from './records.ts';

/** Time kept for the submission itself. */
const MARGIN_MS = 5000;

/** What a submission took of the limits. */
export type Admitted = Required<Pick<AsyncCall, 'taken'>> & Pick<AsyncCall, 'probe'>;

/**
 * Takes what any attempt takes before it leaves: the breaker's leave, a request and tokens a minute
 * (model-inference section 9). Nothing is to be given back where it throws.
 * @throws ModelUnavailable while the breaker stays open; DeadlineExceeded where the limits leave no time; Cancelled.
 */
export async function admit(
  door: Door,
  model: ModelEntry,
  request: InferRequest,
  ctx: InferContext,
): Promise<Admitted> {
  const gate = door.gate(model);
  const bytes = promptBytes(request, model.imageTokens);
  const tokens = gate.estimate.of(bytes, outputBound(request, model));
  const latest = (ctx.deadline ?? Infinity) - MARGIN_MS;
  for (;;) {
    const blocked = await awaitBreaker(door, gate, { model, ctx });
    if (blocked) throw modelUnavailable(blocked.message, { cause: blocked });
    try {
      await gate.rpm.take(1, latest, ctx.signal);
      await gate.tpm.take(tokens, latest, ctx.signal);
    } catch (error) {
      throw (ctx.signal?.aborted && stopReason({ ctx })) || error;
    }
    const admission = await gate.breaker.enter();
    if (admission.admitted) return { taken: { bytes, tokens }, ...(admission.probe ? { probe: true } : {}) };
  }
}

/** Gives the breaker's leave back that a submission did not use. */
export async function abandon(
  door: Door,
  model: ModelEntry,
  { probe }: { probe?: boolean | undefined },
): Promise<void> {
  if (probe) await door.gate(model).breaker.abandon();
}

/**
 * Tells limits and breaker what a call came to, once it is settled: its use where it was answered, else why not. A
 * request that was lost in the queue says nothing of the endpoint, which may have been starting.
 */
export async function noteOutcome(
  door: Door,
  model: ModelEntry,
  { taken, probe }: Pick<AsyncCall, 'taken' | 'probe'>,
  outcome: { usage: Usage } | { error: ProviderError },
): Promise<void> {
  const gate = door.gate(model);
  const error = 'error' in outcome ? outcome.error : undefined;
  if (error?.code === 'EXPIRED') return;
  if (error?.unsent) return abandon(door, model, { probe });
  await gate.breaker.after(probe ?? false, error?.code, error?.untilDeadline);
  if ('error' in outcome || !taken) return;
  const { input, output } = outcome.usage;
  gate.estimate.learn(taken.bytes, input, output);
  gate.tpm.correct(input + output - taken.tokens);
  await gate.tpm.settle();
}
