import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { toolLibraryRole } from './define.ts';
import { FeedbackSchema, feedbackText, numbered, TopicToolSchema } from './topics.ts';

export const AssignClustersInput = z.strictObject({
  leaves: z.array(z.strictObject({ id: z.string(), path: z.string(), description: z.string() })).min(1),
  tools: z.array(TopicToolSchema).min(1).max(20),
  feedback: FeedbackSchema,
  /** For the builtin: the leaf with the nearest centroid, a tool. */
  analysis: z.strictObject({ nearest: z.array(z.string()) }),
});
export type AssignClustersInput = z.infer<typeof AssignClustersInput>;

export const AssignClustersOutput = z.object({
  assignments: z.array(z.object({ index: z.int(), leafId: z.string() })).max(200),
});
export type AssignClustersOutput = z.infer<typeof AssignClustersOutput>;

const SYSTEM = `You put tools into the leaves of a topic tree. You are shown the leaves and a numbered list of tools.

- Every number gets exactly one leaf, by the id of an existing leaf. Leave none out and repeat none.
- Decide by what the tool does. Where several leaves fit, take the most specific one.`;

/** Tools to leaves. */
export const assignClustersRole = toolLibraryRole<AssignClustersInput, AssignClustersOutput>({
  key: 'assign-clusters',
  input: AssignClustersInput,
  output: AssignClustersOutput,
  params: { temperature: 0, maxOutputTokens: 2048 },
  system: SYSTEM,
  reply: '{"assignments": [{"index": integer, "leafId": string}]}',
  user: ({ leaves, tools, feedback }) =>
    fence(hashOf([leaves, tools]), {
      leaves: leaves.map(({ id, path, description }) => `${id} (${path}): ${description}`).join('\n'),
      tools: numbered(tools),
      problems_of_your_last_answer: feedbackText(feedback),
    }),
  builtinVersion: 1,
  builtin: async (input) => (await import('../builtin/assign-clusters.ts')).assignClusters(input),
});
