import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { toolLibraryRole } from './define.ts';
import {
  CODE_REPLY,
  CODE_RULES,
  CodeSchema,
  codeText,
  designText,
  FeedbackItemSchema,
  feedbackItems,
  sourcesText,
  type Code,
} from './refactoring.ts';
import { WriteCodeInput } from './write-code.ts';

/** The draft is the code without widening and helpers, then without the tools that fail. */
export const PatchCodeInput = WriteCodeInput.extend({
  /** The code of the round before. */
  code: CodeSchema,
  /** What was said of it, word for word. */
  feedback: z.array(FeedbackItemSchema),
});
export type PatchCodeInput = z.infer<typeof PatchCodeInput>;

const SYSTEM = `You repair the Python code of one scenario of a tool library. You see the tools it replaces, the code, and the feedback of
its review and of its execution.

- Change what the feedback names. Cases that pass must keep passing: leave the rest as it is.
- If a tool cannot be served without bending the functions for it alone, leave its cases out of the mapping: the tool
  is then kept as it is.
- Reply with the whole code again: module, all functions, the whole mapping.

What holds for the code:
${CODE_RULES}`;

/** The code agent again: the code repaired. */
export const patchCodeRole = toolLibraryRole<PatchCodeInput, Code>({
  key: 'patch-code',
  input: PatchCodeInput,
  output: CodeSchema,
  params: { temperature: 0.2, maxOutputTokens: 16_384 },
  system: SYSTEM,
  reply: CODE_REPLY,
  user: ({ sib, tools, code, feedback }) =>
    fence(hashOf([sib, tools]), {
      scenario: designText(sib),
      tools: sourcesText(tools),
      code: codeText(code),
      feedback: feedbackItems(feedback),
    }),
  builtinVersion: 2,
  builtin: async (input) => (await import('../builtin/refactoring.ts')).patchCode(input),
});
