import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { toolLibraryRole } from './define.ts';
import { DESIGN_REPLY, DesignSchema, NumberedToolSchema, numberedTools } from './refactoring.ts';

export const BlueprintInput = z.strictObject({
  /** Topic of the cluster, from the root. */
  path: z.array(z.string()),
  description: z.string(),
  tools: z.array(NumberedToolSchema).min(1),
  /** For the builtin: tools that have one form, as scenarios. */
  analysis: z.strictObject({ sibs: z.array(DesignSchema) }),
});
export type BlueprintInput = z.infer<typeof BlueprintInput>;

export const BlueprintOutput = z.object({ sibs: z.array(DesignSchema).max(200) });
export type BlueprintOutput = z.infer<typeof BlueprintOutput>;

const SYSTEM = `You redesign a cluster of small Python tools, each written for one question, as a few general ones. You write the
design, not the code.

A design is a list of scenarios. A scenario is one concrete situation in which several of the tools are at home, such as
"selling goods with costs" or "filling and emptying a tank". For each scenario give:
- classes: the facts it rests on (constants, tables, units), where there are any; each with what it holds.
- functions: what one can compute in it. Names say the quantity that comes out; parameters are explicit, few and simple,
  optional where most of the tools fix them. Split a function rather than give it a mode switch.
- covered: the numbers of the tools whose every call your functions can answer.

Put a tool into one scenario only. Nothing may be lost: cover a tool only if the design does all that it does. Leave out
tools that share nothing with others.`;

/** Scenarios for a cluster. */
export const blueprintRole = toolLibraryRole<BlueprintInput, BlueprintOutput>({
  key: 'blueprint',
  input: BlueprintInput,
  output: BlueprintOutput,
  params: { temperature: 0.3, maxOutputTokens: 8192 },
  system: SYSTEM,
  reply: `{"sibs": [${DESIGN_REPLY}]}`,
  user: ({ path, description, tools }) =>
    fence(hashOf([path, tools]), {
      topic: `${path.join(' > ')}\n${description}`,
      tools: numberedTools(tools),
    }),
  builtinVersion: 1,
  builtin: async (input) => (await import('../builtin/refactoring.ts')).blueprint(input),
});
