import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import type { Message } from '#shared/models/types.ts';
import { toolLibraryRole } from './define.ts';

export const SolverToolSchema = z.strictObject({
  name: z.string(),
  description: z.string(),
  parameters: z.record(z.string(), z.json()),
});

/** One call of a dialogue, and what came of it. */
export const TurnSchema = z.strictObject({
  call: z.strictObject({ name: z.string(), arguments: z.record(z.string(), z.json()) }),
  value: z.string().optional(),
  error: z.string().optional(),
});
export type Turn = z.infer<typeof TurnSchema>;

/** Neither gold answer nor call nor reasoning: what a stranger to the solution has. */
export const SolveWithToolsInput = z.strictObject({
  question: z.string(),
  options: z.array(z.string()).optional(),
  tools: z.array(SolverToolSchema),
  dialogue: z.array(TurnSchema),
});
export type SolveWithToolsInput = z.infer<typeof SolveWithToolsInput>;

export const SolveWithToolsOutput = z.object({
  call: z.object({ name: z.string(), arguments: z.record(z.string(), z.json()) }).optional(),
  answer: z.union([z.string(), z.number(), z.boolean()]).optional(),
});
export type SolveWithToolsOutput = z.infer<typeof SolveWithToolsOutput>;

const SYSTEM = `You solve a problem with the tools you are given. At each turn you either call one tool or give the final answer.

- Use the tools for what they can do; do not work it out yourself. Read each result before the next move.
- Arguments follow the tool's schema, with the values of the problem.
- When a result is the answer, or lets you say it, answer: the value alone, without working and without a sentence.
- If no tool helps, answer as well as you can.`;

/** One turn of solving a question with tools. */
export const solveWithToolsRole = toolLibraryRole<SolveWithToolsInput, SolveWithToolsOutput>({
  key: 'solve-with-tools',
  input: SolveWithToolsInput,
  output: SolveWithToolsOutput,
  params: { temperature: 0.7, maxOutputTokens: 8192 },
  system: SYSTEM,
  reply: 'either {"call": {"name": string, "arguments": object}} or {"answer": string}',
  user: ({ question, options, tools, dialogue }) => {
    const id = hashOf([question, tools]);
    const messages: Message[] = [
      {
        role: 'user',
        content: fence(id, {
          problem: question,
          options: options?.join('\n'),
          tools: tools.map((tool) => JSON.stringify(tool)).join('\n'),
        }),
      },
    ];
    for (const { call, value, error } of dialogue) {
      messages.push(
        { role: 'assistant', content: JSON.stringify({ call }) },
        { role: 'user', content: fence(id, { result: value, error }) },
      );
    }
    return messages;
  },
  builtinVersion: 1,
  builtin: async (input) => (await import('../builtin/solve.ts')).solve(input),
});
