import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { toolLibraryRole } from './define.ts';

export const FixSyntaxInput = z.strictObject({
  code: z.string(),
  error: z.string(),
  line: z.int().nonnegative(),
});
export type FixSyntaxInput = z.infer<typeof FixSyntaxInput>;

export const FixSyntaxOutput = z.object({ code: z.string() });
export type FixSyntaxOutput = z.infer<typeof FixSyntaxOutput>;

const SYSTEM = `You repair Python code that does not parse. You are shown the code, the parser's message and its line.

- Make the smallest change after which it parses. Function names, parameters and behaviour stay as they are meant.
- Give back the whole code, without fences and without comment.`;

/** Code that does not parse to code that does. */
export const fixSyntaxRole = toolLibraryRole<FixSyntaxInput, FixSyntaxOutput>({
  key: 'fix-syntax',
  input: FixSyntaxInput,
  output: FixSyntaxOutput,
  params: { temperature: 0, maxOutputTokens: 4096 },
  system: SYSTEM,
  reply: '{"code": string}',
  user: ({ code, error, line }) =>
    fence(hashOf(code), { code, error: line > 0 ? `line ${line}: ${error}` : error }),
  builtinVersion: 1,
  builtin: async (input) => (await import('../builtin/fix-syntax.ts')).fixSyntax(input),
});
