import type { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import type { Rng } from '#shared/determinism/rng.ts';
import { FENCE_RULE } from './fence.ts';
import { defineRole, outputSchema, type Role } from './role.ts';
import type { Message, Params } from './types.ts';

/** Roles whose prompts are one system text and fenced data: what most roles are. */
export interface FencedRole<Input, Output> {
  /** `<workflow>/<role>`. */
  name: string;
  input: z.ZodType<Input>;
  output: z.ZodType<Output>;
  params: Params;
  /** What the model is and has to do; the rule about fenced data and the shape of the reply are added. */
  system: string;
  /** The reply as a model reads it, such as `{"verdict": "PASS" | "NEED_PATCHING"}`; absent: any text. */
  reply?: string;
  /** The messages after the system prompt: a text, most often one fenced block, is the user's. */
  user(input: Input): string | Message[];
  /** Raise with every change of the builtin algorithm that can change an output: cached answers of the old one expire. */
  builtinVersion: number;
  /** Loaded when first used. */
  builtin(input: Input, rng: Rng): Output | Promise<Output>;
}

/** Makes a role whose version is a hash of all that makes its answers, but for what `user` adds to the input. */
export function fencedRole<Input, Output>(definition: FencedRole<Input, Output>): Role<Input, Output> {
  const { name, system, reply, user, params, input, output, builtin } = definition;
  const prompt = [
    system,
    ...(reply === undefined ? [] : [`Reply with one JSON object and nothing around it:\n${reply}`]),
    FENCE_RULE,
  ].join('\n\n');
  const role = defineRole<Input, Output>({
    name,
    version: '',
    input,
    output,
    params,
    latex: false,
    render(content) {
      const messages = user(content);
      return [
        { role: 'system', content: prompt },
        ...(typeof messages === 'string' ? [{ role: 'user' as const, content: messages }] : messages),
      ];
    },
    builtin,
  });
  const version = hashOf([prompt, outputSchema(role as Role), params, definition.builtinVersion]);
  return { ...role, version: version.slice(0, 12) };
}
