import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { PythonReasoningSchema } from '../builtin/python-reasoning.ts';
import { toolLibraryRole } from './define.ts';
import { ExtractToolsOutput, SolvedProblemSchema, TOOL_RULES } from './extract-tools.ts';

export const RefineToolsInput = SolvedProblemSchema.extend({
  tools: z.array(z.strictObject({ code: z.string(), call: z.string() })),
  /** What the judge asked for, verbatim. */
  improvements: z.array(z.string()),
  /** What went wrong when the tools ran and were used. */
  failures: z.array(z.string()),
  /** The round that this begins: 2 or 3. */
  round: z.int().min(2),
  analysis: z.strictObject({ python: PythonReasoningSchema.optional() }),
});
export type RefineToolsInput = z.infer<typeof RefineToolsInput>;

const SYSTEM = `You improve tools that did not do: Python functions made from a solved problem, which a reasoning model then failed
to solve the problem with. You are given what a judge asked to improve, and what failed.

- Write all tools anew, also those that need no change: what you leave out is gone.
- Do what each improvement asks. Names, descriptions and the order of parameters are what the reasoning model sees.
${TOOL_RULES}`;

/** Tools that did not do to better ones. */
export const refineToolsRole = toolLibraryRole<RefineToolsInput, ExtractToolsOutput>({
  key: 'refine-tools',
  input: RefineToolsInput,
  output: ExtractToolsOutput,
  params: { temperature: 0.3, maxOutputTokens: 4096 },
  system: SYSTEM,
  reply: '{"tools": [{"tags": [string], "code": string, "call": string}]}',
  user: ({ question, reasoning, answer, options, tools, improvements, failures }) =>
    fence(hashOf([question, answer, tools]), {
      question,
      options: options?.join('\n'),
      reasoning,
      answer,
      tools: tools.map(({ code, call }) => `${code}\n# call: ${call}`).join('\n\n'),
      improvements: improvements.length > 0 ? improvements.map((text) => `- ${text}`).join('\n') : undefined,
      failures: failures.length > 0 ? failures.map((text) => `- ${text}`).join('\n') : undefined,
    }),
  builtinVersion: 2,
  builtin: async (input) => (await import('../builtin/extract-tools.ts')).refineTools(input),
});
