import { z } from 'zod';

/** What the role research-step is asked with (specification section 8): prompts and algorithms see nothing else. */
export const StepInputSchema = z.strictObject({
  family: z.enum(['single_turn', 'native']),
  kind: z.enum(['short', 'report', 'math', 'code']),
  question: z.string(),
  /** People's notes, which join the question. */
  notes: z.array(z.string()),
  asOf: z.string(),
  /** What a document of the corpus is about. */
  entityNoun: z.string(),
  /** Names of the tools on offer. */
  tools: z.array(z.string()),
  memory: z.strictObject({
    note: z.string().optional(),
    entries: z.array(
      z.strictObject({
        step: z.number(),
        call: z.strictObject({ name: z.string(), arguments: z.record(z.string(), z.json()) }),
        text: z.string(),
      }),
    ),
    tokens: z.number(),
    /** Where it locks. */
    limit: z.number(),
    locked: z.boolean(),
  }),
  notices: z.array(z.string()),
  step: z.number(),
  maxSteps: z.number(),
  /** The finalisation: no tools, answer now. */
  final: z.boolean(),
  /** Rollouts of a group are to differ. */
  explore: z.boolean(),
});

export type StepInput = z.infer<typeof StepInputSchema>;
