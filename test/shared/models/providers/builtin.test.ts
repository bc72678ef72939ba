import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineRole, requestFor, type Role } from '#shared/models/role.ts';
import { providerFor } from '#shared/models/providers/index.ts';
import { decodeOutput } from '#shared/models/structured-output.ts';
import { callOf, envOf, errorOf, modelOf, requestOf } from './support.ts';

const dice = defineRole({
  name: 'game/dice',
  version: '3',
  input: z.object({ sides: z.int().min(2), label: z.string().default('d') }),
  output: z.object({ label: z.string(), rolls: z.array(z.int()) }),
  render: ({ sides }) => [{ role: 'user', content: `Roll ${sides}.` }],
  builtin: ({ sides, label }, rng) => ({ label, rolls: Array.from({ length: 8 }, () => rng.below(sides)) }),
}) as unknown as Role;

const model = modelOf({ name: 'builtin', provider: 'builtin' });
const env = envOf({}, { roles: [dice] });
const roll = async (input: unknown, params = {}, version = '3') => {
  const provider = await providerFor(model, env);
  const request = {
    ...requestFor(dice, input as never, { id: 'r', model: 'builtin', params }),
    role: { name: dice.name, version },
  };
  return { request, reply: await provider.call(callOf(model, { request })) };
};

describe('builtin', () => {
  it('[model-inference 14] gives the same bytes twice; sample 1 draws differently', async () => {
    const first = await roll({ sides: 1000, label: 'x' });
    const again = await roll({ label: 'x', sides: 1000 });
    expect(again.reply).toEqual(first.reply);
    const texts = [
      first,
      await roll({ sides: 1000, label: 'x' }, { sample: 1 }),
      await roll({ sides: 1000, label: 'x' }, { seed: 5 }),
      await roll({ sides: 999, label: 'x' }),
      await roll({ sides: 1000, label: 'x' }, {}, '4'),
    ].map(({ reply }) => reply.text);
    expect(new Set(texts).size).toBe(texts.length);
  });

  it('answers in the role’s own schema, which validates', async () => {
    const { request, reply } = await roll({ sides: 6 });
    expect(decodeOutput(reply, request, model)).toMatchObject({
      ok: true,
      output: { label: 'd' },
      repairs: [],
    });
  });

  it('is NO_BUILTIN without an algorithm and BAD_REQUEST on input that is not the role’s', async () => {
    const provider = await providerFor(model, env);
    expect(await errorOf(provider.call(callOf(model, { request: requestOf() })))).toMatchObject({
      code: 'NO_BUILTIN',
      billed: 'no',
    });
    expect(await errorOf(roll({ sides: 1 }))).toMatchObject({ code: 'BAD_REQUEST' });
  });
});
