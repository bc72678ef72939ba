import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { toolLibraryRole } from './define.ts';
import { DESIGN_REPLY, DesignSchema, designText, NumberedToolSchema, numberedTools } from './refactoring.ts';

export const WidenBlueprintInput = z.strictObject({
  sib: DesignSchema,
  /** What reviewers missed in it. */
  suggestions: z.array(z.string()),
  /** The tools it covers. */
  tools: z.array(NumberedToolSchema),
  /** Tools of the cluster that no scenario covers. */
  others: z.array(NumberedToolSchema),
  /** For the builtin: the scenario with those that one more outer operand lets in. */
  analysis: z.strictObject({ sib: DesignSchema }),
});
export type WidenBlueprintInput = z.infer<typeof WidenBlueprintInput>;

export const WidenBlueprintOutput = z.object({ sib: DesignSchema });
export type WidenBlueprintOutput = z.infer<typeof WidenBlueprintOutput>;

const SYSTEM = `You widen the design of one scenario of a tool library: its classes and functions stand for several small tools. You
write the design, not the code.

- Add the facts and dimensions that belong to the same situation and are missing: a further cost, a discount, a second
  kind of item, the inverse question. Give them as optional parameters with a neutral default, or as functions of
  their own.
- Answer every suggestion you are shown.
- Stay inside the scenario, and do not let two functions do the same. No mode switches.
- Keep all that is there: what it covers now it must still cover. Add the numbers of other tools that it now covers.`;

/** A wider scenario. */
export const widenBlueprintRole = toolLibraryRole<WidenBlueprintInput, WidenBlueprintOutput>({
  key: 'widen-blueprint',
  input: WidenBlueprintInput,
  output: WidenBlueprintOutput,
  params: { temperature: 0.3, maxOutputTokens: 4096 },
  system: SYSTEM,
  reply: `{"sib": ${DESIGN_REPLY}}`,
  user: ({ sib, suggestions, tools, others }) =>
    fence(hashOf([sib, tools]), {
      scenario: designText(sib),
      suggestions: suggestions.length > 0 ? suggestions.join('\n') : undefined,
      covered_tools: numberedTools(tools),
      other_tools: others.length > 0 ? numberedTools(others) : undefined,
    }),
  builtinVersion: 1,
  builtin: async (input) => (await import('../builtin/refactoring.ts')).widenBlueprint(input),
});
