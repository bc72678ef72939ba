import { hashOf } from '#shared/determinism/hash.ts';
import type { InferRequest, Message, ModelEntry, Registry, RouteEntry } from '../types.ts';

/** Raise when the meaning of a key's parts changes: old answers are then not found. */
const VERSION = 1;

/** What of a model makes its answers: part of the key. */
export interface KeyedModel {
  provider: string;
  model: string;
  revision: string;
  codec: string;
  maxOutputTokens: number | null;
}

/** The identity of one model. */
export const keyedModel = (model: ModelEntry): KeyedModel => ({
  provider: model.provider,
  model: model.name,
  revision: model.revision,
  codec: model.codec,
  maxOutputTokens: model.maxOutputTokens,
});

/** The identity of a route: its policy and the models behind it, with their revisions. */
export const keyedRoute = (route: RouteEntry, registry: Registry): KeyedModel => ({
  provider: 'route',
  model: route.name,
  revision: [
    route.policy,
    ...route.models.map((name) => `${name}@${registry.models.get(name)?.revision ?? ''}`),
  ].join(),
  codec: 'route',
  maxOutputTokens: null,
});

/**
 * The cache key of a request (model-inference section 6): SHA-256 of the canonical JSON of everything that decides the
 * answer, defaults filled in. Not part of it: id, job, stage, meta, time-outs, endpoint, price and limits.
 * @param scope a job id where answers must not be shared between jobs.
 */
export function cacheKey(request: InferRequest, model: KeyedModel, scope?: string): string {
  const { params = {}, output } = request;
  return hashOf({
    v: VERSION,
    provider: model.provider,
    model: model.model,
    revision: model.revision,
    codec: model.codec,
    role: request.role,
    params: {
      temperature: params.temperature ?? 0,
      topP: params.topP ?? 1,
      maxOutputTokens: params.maxOutputTokens ?? model.maxOutputTokens,
      stop: params.stop ?? [],
      seed: params.seed ?? null,
      sample: params.sample ?? 0,
      reasoning: params.reasoning ?? null,
    },
    messages: request.messages.map(keyedMessage),
    input: request.input ?? null,
    tools: request.tools ?? [],
    toolChoice: request.toolChoice ?? 'auto',
    output: output ? { name: output.name, schema: output.schema, latex: output.latex ?? true } : null,
    reask: 1,
    ...(scope === undefined ? {} : { scope }),
  });
}

/** Images count by their hash: where they are stored does not matter. */
function keyedMessage(message: Message): unknown {
  if (typeof message.content === 'string') return message;
  return {
    ...message,
    content: message.content.map((part) =>
      part.type === 'image' ? { type: 'image', sha256: part.sha256, mime: part.mime } : part,
    ),
  };
}
