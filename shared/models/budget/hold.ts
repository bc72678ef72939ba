import { isError } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { costOf } from '../ledger/cost.ts';
import { priceAt } from '../registry.ts';
import type { ModelEntry, Registry } from '../types.ts';
import { amounts, budgetKey, budgetState, UNITS } from './item.ts';
import { closeLease, FOREVER_MS, holdLease } from './sweep.ts';

/**
 * Keeps a call's worst case of a job's budget for later, under an id: the call that names it (`InferContext.hold`) is
 * paid from it, whatever others have used meanwhile. Repeating it is harmless; a job without caps holds nothing.
 * @param worst bounds of the call's prompt and output, in tokens.
 * @returns false where the budget has not enough left.
 */
export async function standingHold(
  runtime: Runtime,
  jobId: string,
  id: string,
  model: ModelEntry,
  worst: { prompt: number; output: number },
): Promise<boolean> {
  const state = budgetState(await runtime.records.get(budgetKey(jobId)));
  if (state.leases.has(id) || UNITS.every((unit) => state.cap[unit] === undefined)) return true;
  const now = runtime.clock.now();
  const input = Math.min(model.contextTokens, worst.prompt);
  const output = Math.min(model.maxOutputTokens, worst.output);
  const more =
    model.provider === 'builtin'
      ? amounts(0, 0, 1)
      : amounts(costOf({ input, output }, priceAt(model, now)), input + output, 1);
  try {
    await holdLease(runtime, jobId, { id, more, until: now + FOREVER_MS, standing: true });
    return true;
  } catch (error) {
    if (isError(error, 'BudgetExhausted')) return false;
    throw error;
  }
}

/** Gives a standing hold back that its call does not need; harmless where there is none. */
export async function dropHold(
  runtime: Runtime,
  registry: Registry,
  jobId: string,
  id: string,
): Promise<void> {
  await closeLease(runtime, registry, jobId, id);
}
