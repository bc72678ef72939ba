import type { InferContext } from './context.ts';
import { doorOf } from './door/doors.ts';
import { inferThrough, type Inference } from './door/infer.ts';
import { streamThrough } from './door/stream.ts';
import type { InferEvent, InferRequest } from './types.ts';

export { closeDoor, releaseJob } from './door/doors.ts';
export { keyOf } from './door/infer.ts';
export type { Inference } from './door/infer.ts';

/**
 * Asks a model: the one door of every call (model-inference section 1). Answers come from the cache where they can;
 * budget, limits, retries, structured output and the ledger are behind it.
 *
 * A request without a usable answer is data: its result is `rejected` (answered, unusable) or `failed` (no answer).
 * @throws InvalidInput, NotFound (unknown model), BudgetExhausted, Cancelled, DeadlineExceeded, StorageUnavailable,
 *   Defect; nothing else.
 * @example
 * const { result, trace } = await infer(requestFor(role, input, { id: 'doc1:filter', model: 'builtin' }), ctx);
 */
export function infer(request: InferRequest, ctx: InferContext): Promise<Inference> {
  return inferThrough(doorOf(ctx.runtime), request, ctx);
}

/**
 * The same, telling what comes while it comes: `start`, deltas, `usage`, `end`; `reset` voids the deltas before it.
 * Endpoints that cannot stream give their text in one delta. Ending the iteration early stops the call.
 */
export function inferStream(request: InferRequest, ctx: InferContext): AsyncIterable<InferEvent> {
  return streamThrough(doorOf(ctx.runtime), request, ctx);
}
