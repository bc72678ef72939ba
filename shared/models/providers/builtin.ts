import { seededRng } from '#shared/determinism/rng.ts';
import type { ProviderEnv } from './env.ts';
import type { InferRequest, Provider, ProviderReply } from '../types.ts';
import { unsent } from './errors.ts';

/**
 * Plays a role by its own algorithm: needs no model, costs nothing, labelled `builtin` in every output. The
 * randomness is seeded from role, version, canonical input, seed and sample, so equal requests give equal bytes
 * (model-inference section 4).
 */
export function builtinProvider(env: Pick<ProviderEnv, 'roleOf'>): Provider {
  return {
    name: 'builtin',
    async call({ request }) {
      const { name, version } = request.role;
      const role = await env.roleOf(name);
      if (!role?.builtin) {
        throw unsent(
          'NO_BUILTIN',
          `The role ${name} has no built-in algorithm; choose another model for it.`,
        );
      }
      const input = role.input.safeParse(request.input);
      if (!input.success) {
        const [issue] = input.error.issues;
        throw unsent(
          'BAD_REQUEST',
          `The input of the role ${name} is not usable: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
        );
      }
      const rng = seededRng(
        name,
        version,
        request.input ?? null,
        request.params?.seed ?? null,
        request.params?.sample ?? 0,
      );
      return replyOf(await role.builtin(input.data, rng), request);
    },
  };
}

/** A role that only writes text may answer it as a string; every other output is its JSON. */
function replyOf(output: unknown, request: InferRequest): ProviderReply {
  const text = typeof output === 'string' && !request.output ? output : JSON.stringify(output);
  return { text: text ?? 'null', finish: 'stop' };
}
