import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { toolLibraryRole } from './define.ts';
import { TurnSchema } from './solve-with-tools.ts';

export const TranscriptViewSchema = z.strictObject({
  model: z.string(),
  turns: z.array(TurnSchema),
  answer: z.string().optional(),
  right: z.boolean(),
});

export const JudgeToolsInput = z.strictObject({
  question: z.string(),
  answer: z.string(),
  tools: z.array(
    z.strictObject({
      name: z.string(),
      code: z.string(),
      /** Runs, those that called it, and those in which its value led to the right answer. */
      evidence: z.strictObject({
        runs: z.int(),
        called: z.int(),
        mattered: z.int(),
        rightWithoutCall: z.int(),
      }),
    }),
  ),
  transcripts: z.array(TranscriptViewSchema),
});
export type JudgeToolsInput = z.infer<typeof JudgeToolsInput>;

export const JudgeToolsOutput = z.object({
  utility: z.string().default(''),
  use: z.string().default(''),
  correctness: z.string().default(''),
  generality: z.string().default(''),
  verdict: z.enum(['EFFECTIVE', 'INEFFECTIVE']),
  improvements: z.array(z.string()).max(20).default([]),
});
export type JudgeToolsOutput = z.infer<typeof JudgeToolsOutput>;

const SYSTEM = `You judge tools by how a reasoning model used them to solve a problem. You see the problem, its right answer, the tools,
and what happened in each attempt.

Give a reason for each criterion, then the verdict:
- utility: do the tools do what the problem needs?
- use: did the model call them, and did their values lead to its answer? An answer that is right without the tool
  earns the tool no credit.
- correctness: do they compute what they say?
- generality: would they serve other problems of the kind, or only this one?
The verdict is EFFECTIVE only if the tools led to the right answer and are fit for other problems. Otherwise it is
INEFFECTIVE, with improvements: each one concrete change to a name, description, parameter or the code.`;

/** Do the tools help? */
export const judgeToolsRole = toolLibraryRole<JudgeToolsInput, JudgeToolsOutput>({
  key: 'judge-tools',
  input: JudgeToolsInput,
  output: JudgeToolsOutput,
  params: { temperature: 0, maxOutputTokens: 1024 },
  system: SYSTEM,
  reply:
    '{"utility": string, "use": string, "correctness": string, "generality": string, "verdict": "EFFECTIVE" | "INEFFECTIVE", "improvements": [string]}',
  user: ({ question, answer, tools, transcripts }) =>
    fence(hashOf([question, answer, tools]), {
      problem: question,
      right_answer: answer,
      tools: tools
        .map(({ code, evidence }) => `${code}\n# evidence: ${JSON.stringify(evidence)}`)
        .join('\n\n'),
      attempts: transcripts.map((transcript) => JSON.stringify(transcript)).join('\n'),
    }),
  builtinVersion: 1,
  builtin: async (input) => (await import('../builtin/judge-tools.ts')).judgeTools(input),
});
