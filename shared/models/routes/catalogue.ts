import type { InferContext } from '../context.ts';
import { isInside, type Door } from '../door/door.ts';
import { costOf, needOf, outputBound, promptBytes } from '../ledger/cost.ts';
import { priceAt } from '../registry.ts';
import type { InferRequest, ModelEntry, RouteEntry } from '../types.ts';
import type { Candidate, Hop } from './policy.ts';

/** Tokens a byte of ordinary text, as the token limits first assume: what decides whether a prompt fits a context. */
const TOKENS_PER_BYTE = 0.25;

/** What a route may choose from now, and whether money alone kept some model out. */
export async function catalogueOf(
  door: Door,
  route: RouteEntry,
  request: InferRequest,
  ctx: InferContext,
  history: readonly Hop[],
): Promise<{ candidates: Candidate[]; unaffordable: number }> {
  const candidates: Candidate[] = [];
  let unaffordable = 0;
  for (const name of route.models) {
    const model = ctx.registry.models.get(name);
    if (!model?.enabled || model.provider === 'sagemaker-async' || !fits(model, request, ctx, history))
      continue;
    const gate = door.gate(model);
    if (!isInside(model) && !(await gate.breaker.closed())) continue;
    const price = priceAt(model, ctx.runtime.clock.now());
    const need = needOf(request, model, price);
    if (!(await door.purse(ctx.jobId).affords(need))) {
      if (!history.some((hop) => hop.model === name)) unaffordable++;
      continue;
    }
    const { made, answered, latencies } = gate.stats;
    const sorted = [...latencies].sort((a, b) => a - b);
    const p50 = sorted[Math.floor(sorted.length / 2)];
    const input = Math.ceil(promptBytes(request, model.imageTokens) / 4);
    candidates.push({
      model: name,
      expectedMicros:
        model.provider === 'builtin'
          ? 0
          : costOf({ input, output: Math.ceil(outputBound(request, model) / 4) }, price),
      worstMicros: need.micros,
      successRate: made === 0 ? 1 : answered / made,
      ...(p50 === undefined ? {} : { p50Ms: p50 }),
    });
  }
  return { candidates, unaffordable };
}

function fits(model: ModelEntry, request: InferRequest, ctx: InferContext, history: readonly Hop[]): boolean {
  if (request.tools?.length && !model.features.tools && !isInside(model)) return false;
  const images = request.messages.some(
    ({ content }) => typeof content !== 'string' && content.some((part) => part.type === 'image'),
  );
  if (images && !model.features.images) return false;
  // Where a context overflowed, only a larger one is worth trying.
  for (const hop of history) {
    const tried = ctx.registry.models.get(hop.model);
    if (hop.code === 'CONTEXT_OVERFLOW' && tried && model.contextTokens <= tried.contextTokens) return false;
  }
  const tokens = promptBytes(request, model.imageTokens) * TOKENS_PER_BYTE;
  return isInside(model) || tokens + outputBound(request, model) <= model.contextTokens;
}
