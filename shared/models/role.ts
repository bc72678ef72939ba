import { z } from 'zod';
import type { Rng } from '#shared/determinism/rng.ts';
import type { InferRequest, JsonSchema, Message, Params } from './types.ts';

/** A model role: a versioned prompt with typed input and output, and optionally an algorithm that plays it (DESIGN section 5). */
export interface Role<Input = unknown, Output = unknown> {
  /** `<workflow>/<role>`, unique on the platform. */
  readonly name: string;
  /** Changes whenever prompt, few-shots or schema change; part of the cache key. */
  readonly version: string;
  readonly input: z.ZodType<Input>;
  readonly output: z.ZodType<Output>;
  /** Default parameters of a request. */
  readonly params: Params;
  /** Whether TeX escapes in the output are guarded. */
  readonly latex: boolean;
  render(input: Input): Message[];
  /** Loaded when first used: the builtin algorithms bring large language models of their own. */
  readonly builtin?: (input: Input, rng: Rng) => Output | Promise<Output>;
}

/** Declares a role. `builtin` is usually `async (input, rng) => (await import('./builtin.ts')).filter(input, rng)`. */
export function defineRole<Input, Output>(
  role: Omit<Role<Input, Output>, 'params' | 'latex'> & { params?: Params; latex?: boolean },
): Role<Input, Output> {
  return { params: {}, latex: true, ...role };
}

const schemas = new WeakMap<object, JsonSchema>();

/** The JSON Schema (2020-12) of a role's output, made once. */
export function outputSchema(role: Role<never, unknown> | Role): JsonSchema {
  let schema = schemas.get(role.output);
  if (!schema) {
    schema = z.toJSONSchema(role.output, { io: 'input' }) as JsonSchema;
    delete schema.$schema;
    schemas.set(role.output, schema);
  }
  return schema;
}

/**
 * The request that asks `model` to play `role` on `input`.
 * @param options.params override the role's defaults, such as the job's temperature.
 */
export function requestFor<Input, Output>(
  role: Role<Input, Output>,
  input: Input,
  options: { id: string; model: string; params?: Params; meta?: InferRequest['meta'] },
): InferRequest {
  return {
    id: options.id,
    role: { name: role.name, version: role.version },
    model: options.model,
    messages: role.render(input),
    input,
    params: { ...role.params, ...options.params },
    output: {
      name: role.name.replace(/[^\w-]/g, '_'),
      schema: outputSchema(role as Role),
      latex: role.latex,
    },
    ...(options.meta ? { meta: options.meta } : {}),
  };
}
