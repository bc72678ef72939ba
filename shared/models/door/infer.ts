import { budgetExhausted, invalidInput, notFound } from '#shared/task/errors.ts';
import { cacheKey, keyedModel, keyedRoute } from '../cache/key.ts';
import type { CacheEntry } from '../cache/store.ts';
import type { InferContext } from '../context.ts';
import { cacheRow } from '../ledger/cache-row.ts';
import { onAbort } from '../limits/on-abort.ts';
import { checkRequest } from '../request-schema.ts';
import { catalogueOf } from '../routes/catalogue.ts';
import { POLICIES, type Hop } from '../routes/policy.ts';
import type { InferRequest, InferResult, InferTrace, ModelEntry, RouteEntry } from '../types.ts';
import { stopReason } from './attempt.ts';
import { callModel, type ModelAnswer } from './call.ts';
import type { Door } from './door.ts';
import type { OnDelta } from './provider-call.ts';
import { badResult, okResult } from './result.ts';
import { TraceBuilder } from './trace.ts';

/** What a streaming caller is told while its request is answered. */
export interface Listener {
  onModel?(model: string): void;
  onDelta?: OnDelta;
  onReset?(reason: string): void;
}

export interface Inference {
  result: InferResult;
  trace: InferTrace;
}

/** A registry model or route by name. @throws NotFound; InvalidInput for a model that answers batches only. */
export function targetOf(name: string, ctx: InferContext): { model?: ModelEntry; route?: RouteEntry } {
  const route = ctx.registry.routes.get(name);
  if (route) return { route };
  const model = ctx.registry.models.get(name);
  if (!model?.enabled) {
    const names = [...ctx.registry.models.values()].filter(({ enabled }) => enabled).map((one) => one.name);
    throw notFound(
      `There is no ${model ? 'enabled ' : ''}model or route "${name}". The registry has: ${names.join(', ')}.`,
    );
  }
  return { model };
}

/** The key of a request under a registry: the `cacheKey` its result will carry. */
export function keyOf(request: InferRequest, ctx: InferContext): string {
  const { model, route } = targetOf(request.model, ctx);
  const keyed = route ? keyedRoute(route, ctx.registry) : keyedModel(model!);
  return cacheKey(request, keyed, ctx.cacheScope === 'job' ? ctx.jobId : undefined);
}

/**
 * Answers one request: cache, single flight, route, then one model's attempts (model-inference section 1).
 * A result that is not `ok` is data; see section 1 for what is thrown.
 */
export async function inferThrough(
  door: Door,
  raw: InferRequest,
  ctx: InferContext,
  listener: Listener = {},
): Promise<Inference> {
  const request = checkRequest(raw);
  const { model, route } = targetOf(request.model, ctx);
  if (model?.provider === 'sagemaker-async') {
    throw invalidInput(
      `The model ${model.name} is asynchronous: it answers batches of the infer task in mode \`token\` only.`,
    );
  }
  const key = keyOf(request, ctx);
  const trace = new TraceBuilder(ctx.runtime.clock.now());
  const work = (): Promise<Worked> =>
    route
      ? alongRoute(door, route, request, ctx, key, trace, listener)
      : atModel(door, { request, model: model!, ctx, kind: 'call', key, trace, listener });
  const finish = async ({ answer, by }: Worked): Promise<Inference> => ({
    result:
      answer.status === 'ok'
        ? okResult(request, key, answer.entry.answer)
        : await badResult(request, key, answer, by, ctx.runtime.artifacts),
    trace: trace.done(ctx.runtime.clock.now()),
  });

  if ((request.cache ?? 'use') !== 'use') return finish(await work());
  for (;;) {
    const flight = door.flights.get(key);
    const hit = flight ? await unlessStopped(flight, ctx) : await door.cache.get(key);
    if (hit) return answerFromCache(door, request, ctx, key, hit, trace, listener);
    // What the flight before could not answer this caller tries itself; the first to get here leads the others.
    if (door.flights.has(key)) continue;
    let land!: (entry: CacheEntry | undefined) => void;
    door.flights.set(key, new Promise((resolve) => (land = resolve)));
    let entry: CacheEntry | undefined;
    try {
      const worked = await work();
      if (worked.answer.status === 'ok') entry = worked.answer.entry;
      return await finish(worked);
    } finally {
      door.flights.delete(key);
      land(entry);
    }
  }
}

/** Waits for a call that somebody else makes, until this caller is stopped. */
async function unlessStopped<T>(flight: Promise<T>, ctx: InferContext): Promise<T> {
  const { signal } = ctx;
  if (!signal) return flight;
  if (signal.aborted) throw stopReason({ ctx })!;
  const stopped = Promise.withResolvers<never>();
  const ignore = onAbort(signal, () => stopped.reject(stopReason({ ctx })));
  try {
    return await Promise.race([flight, stopped.promise]);
  } finally {
    ignore();
  }
}

async function answerFromCache(
  door: Door,
  request: InferRequest,
  ctx: InferContext,
  key: string,
  { answer, costMicros }: CacheEntry,
  trace: TraceBuilder,
  listener: Listener,
): Promise<Inference> {
  await door.ledger.write(cacheRow(request, ctx, key, { answer, costMicros }, ctx.runtime.ids.hex(128)));
  door.metrics.add({ workflow: ctx.workflow, model: answer.model, provider: answer.provider }, 'CacheHits');
  listener.onModel?.(answer.model);
  if (answer.reasoning) listener.onDelta?.({ type: 'reasoning', delta: answer.reasoning });
  if (answer.text) listener.onDelta?.({ type: 'text', delta: answer.text });
  return {
    result: okResult(request, key, answer),
    trace: trace.done(ctx.runtime.clock.now(), costMicros),
  };
}

interface Worked {
  answer: ModelAnswer;
  by: ModelEntry;
}

interface ModelWork {
  request: InferRequest;
  model: ModelEntry;
  ctx: InferContext;
  kind: 'call' | 'fallback';
  key: string;
  routeReason?: string;
  trace: TraceBuilder;
  listener: Listener;
}

async function atModel(door: Door, work: ModelWork): Promise<Worked> {
  const { request, model, ctx, listener, key } = work;
  listener.onModel?.(model.name);
  const mode = request.cache ?? 'use';
  const answer = await callModel(door, {
    request,
    model,
    ctx,
    kind: work.kind,
    ...(work.routeReason === undefined ? {} : { routeReason: work.routeReason }),
    cacheKey: key,
    trace: work.trace,
    ...(listener.onDelta ? { onDelta: listener.onDelta } : {}),
    ...(listener.onReset ? { onReset: listener.onReset } : {}),
    keep: async (entry) =>
      mode === 'off' ? { stands: async () => entry } : door.cache.prepare(key, entry, mode === 'refresh'),
  });
  return { answer, by: model };
}

/** Follows a route's policy from model to model until it is satisfied. */
async function alongRoute(
  door: Door,
  route: RouteEntry,
  request: InferRequest,
  ctx: InferContext,
  key: string,
  trace: TraceBuilder,
  listener: Listener,
): Promise<Worked> {
  const policy = POLICIES[route.policy];
  const history: Hop[] = [];
  let last: Worked | undefined;
  for (;;) {
    const { candidates, unaffordable } = await catalogueOf(door, route, request, ctx, history);
    const choice = policy.choose(request, candidates, history);
    const model = choice && ctx.registry.models.get(choice.model);
    if (!choice || !model) {
      if (last) return last;
      if (unaffordable > 0) {
        throw budgetExhausted(
          `No model of the route ${route.name} can be paid from what is left of ${ctx.jobId}.`,
        );
      }
      return { answer: { status: 'failed', code: 'UNAVAILABLE' }, by: firstModel(route, ctx) };
    }
    if (history.length > 0) listener.onReset?.(`fallback to ${choice.model}`);
    last = await atModel(door, {
      request,
      model,
      ctx,
      kind: history.length === 0 ? 'call' : 'fallback',
      routeReason: choice.reason,
      key,
      trace,
      listener,
    });
    const { answer } = last;
    if (answer.status === 'ok') return last;
    history.push({ model: choice.model, status: answer.status, code: answer.code });
  }
}

function firstModel(route: RouteEntry, ctx: InferContext): ModelEntry {
  const model = ctx.registry.models.get(route.models[0]!);
  if (!model) throw notFound(`The route ${route.name} names a model that the registry does not have.`);
  return model;
}
