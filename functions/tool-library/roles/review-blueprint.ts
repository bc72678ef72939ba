import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { toolLibraryRole } from './define.ts';
import { DesignSchema, designText, NumberedToolSchema, numberedTools } from './refactoring.ts';

export const ReviewBlueprintInput = z.strictObject({
  sib: DesignSchema,
  tool: NumberedToolSchema,
  question: z.string(),
  call: z.string(),
  /** For the builtin: whether the tool has a form that the scenario's functions have. */
  analysis: z.strictObject({ hasBucket: z.boolean() }),
});
export type ReviewBlueprintInput = z.infer<typeof ReviewBlueprintInput>;

export const ReviewBlueprintOutput = z.object({
  reason: z.string().default(''),
  verdict: z.enum(['PASS', 'NEED_PATCHING']),
  suggestions: z.array(z.string()).max(10).default([]),
});
export type ReviewBlueprintOutput = z.infer<typeof ReviewBlueprintOutput>;

const SYSTEM = `You review the design of a scenario of a tool library before it is written. You see the design, one of the tools that it
is to replace, and the question that the tool was made for.

Ask: would one call of one of these functions, with values from the question, give what the tool gives? Think of each
argument and each fact inside the tool: which parameter, default or class of the design has it?
- PASS if so. Style, names and what other tools need are not your concern.
- NEED_PATCHING if something is missing. Each suggestion is one concrete change to the design: a parameter with its
  default, a fact, a function.`;

/** Would the design do what the tool does? */
export const reviewBlueprintRole = toolLibraryRole<ReviewBlueprintInput, ReviewBlueprintOutput>({
  key: 'review-blueprint',
  input: ReviewBlueprintInput,
  output: ReviewBlueprintOutput,
  params: { temperature: 0, maxOutputTokens: 1024 },
  system: SYSTEM,
  reply: '{"reason": string, "verdict": "PASS" | "NEED_PATCHING", "suggestions": [string]}',
  user: ({ sib, tool, question, call }) =>
    fence(hashOf([sib, tool]), { scenario: designText(sib), tool: numberedTools([tool]), call, question }),
  builtinVersion: 1,
  builtin: async (input) => (await import('../builtin/refactoring.ts')).reviewBlueprint(input),
});
