import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { toolLibraryRole } from './define.ts';
import {
  CODE_REPLY,
  CODE_RULES,
  CodeSchema,
  codeText,
  DesignSchema,
  designText,
  SourceViewSchema,
  sourcesText,
  type Code,
} from './refactoring.ts';

export const WriteCodeInput = z.strictObject({
  sib: DesignSchema,
  tools: z.array(SourceViewSchema).min(1),
  /** The code that anti-unification makes of the tools: the builtin's answer, which a model may take as a start. */
  analysis: z.strictObject({ draft: CodeSchema }),
});
export type WriteCodeInput = z.infer<typeof WriteCodeInput>;

const SYSTEM = `You write the Python code of one scenario of a tool library: general functions that replace the tools you are shown, each
of which was written for one question.

${CODE_RULES}`;

/** The code agent: code for a scenario. */
export const writeCodeRole = toolLibraryRole<WriteCodeInput, Code>({
  key: 'write-code',
  input: WriteCodeInput,
  output: CodeSchema,
  params: { temperature: 0.2, maxOutputTokens: 16_384 },
  system: SYSTEM,
  reply: CODE_REPLY,
  user: ({ sib, tools, analysis: { draft } }) =>
    fence(hashOf([sib, tools]), {
      scenario: designText(sib),
      tools: sourcesText(tools),
      draft: draft.functions.length > 0 ? codeText(draft) : undefined,
    }),
  builtinVersion: 2,
  builtin: async (input) => (await import('../builtin/refactoring.ts')).writeCode(input),
});
