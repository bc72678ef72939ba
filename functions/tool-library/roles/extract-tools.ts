import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { PythonReasoningSchema } from '../builtin/python-reasoning.ts';
import { REJECT_CODES } from '../records.ts';
import { toolLibraryRole } from './define.ts';

/** A solved problem, as the roles that make tools of it see it. */
export const SolvedProblemSchema = z.strictObject({
  question: z.string(),
  reasoning: z.string(),
  answer: z.string(),
  options: z.array(z.string()).optional(),
});

export const ExtractToolsInput = SolvedProblemSchema.extend({
  /** For the builtin: the statements of reasoning that is Python. */
  analysis: z.strictObject({ python: PythonReasoningSchema.optional() }),
});
export type ExtractToolsInput = z.infer<typeof ExtractToolsInput>;

/** Blocks may lack code or call: each becomes a reject of its own, not the whole answer. */
export const ExtractToolsOutput = z.object({
  tools: z
    .array(
      z.object({
        tags: z.array(z.string()).max(20).optional(),
        code: z.string().optional(),
        call: z.string().optional(),
      }),
    )
    .max(20),
  /** Why no tool can be made, where none can. */
  declined: z.object({ code: z.enum(REJECT_CODES), message: z.string() }).optional(),
});
export type ExtractToolsOutput = z.infer<typeof ExtractToolsOutput>;

export const TOOL_RULES = `- A tool is one Python function that does one step that other problems of this kind need too. Split a solution into
  several tools where its steps are of use alone.
- Every number that belongs to this problem is a parameter. Constants of nature and of the calendar may stay. No
  parameter selects a mode or one of the answer's options.
- Facts that the solution uses are kept as static data that the tool returns as text.
- Parameters are strings, numbers, booleans or arrays of them; pass anything else as a JSON string. Annotate types. The
  docstring (Google style) says what the tool does and describes every parameter with an example that is not this
  problem's value.
- Import only from the standard library, inside the code. No input or output, no files, no network, no randomness
  without a seed parameter. Never write the answer itself into the code, and never swallow exceptions.
- The call is one expression with one call of the function, with this problem's values as literal keyword arguments.
- Tags: two to four lower-case words for what the tool is about.`;

const SYSTEM = `You turn the solution of a problem into general tools: Python functions that a reasoning model can call on other
problems of the same kind.

${TOOL_RULES}`;

/** A solved problem to tools. */
export const extractToolsRole = toolLibraryRole<ExtractToolsInput, ExtractToolsOutput>({
  key: 'extract-tools',
  input: ExtractToolsInput,
  output: ExtractToolsOutput,
  params: { temperature: 0.3, maxOutputTokens: 4096 },
  system: SYSTEM,
  reply: '{"tools": [{"tags": [string], "code": string, "call": string}]}',
  user: ({ question, reasoning, answer, options }) =>
    fence(hashOf([question, answer]), { question, options: options?.join('\n'), reasoning, answer }),
  builtinVersion: 2,
  builtin: async (input) => (await import('../builtin/extract-tools.ts')).extractTools(input),
});
