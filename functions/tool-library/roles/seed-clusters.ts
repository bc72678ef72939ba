import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { toolLibraryRole } from './define.ts';
import { FeedbackSchema, feedbackText, numbered, TopicToolSchema } from './topics.ts';

export const SeedClustersInput = z.strictObject({
  /** Levels of the tree, its root's included. */
  depth: z.int().min(2),
  tools: z.array(TopicToolSchema).min(1),
  feedback: FeedbackSchema,
  /** For the builtin: merges `[a, b, distance]` of the tools' average linkage. */
  analysis: z.strictObject({ merges: z.array(z.tuple([z.int(), z.int(), z.number()])) }),
});
export type SeedClustersInput = z.infer<typeof SeedClustersInput>;

export const SeedClustersOutput = z.object({
  clusters: z
    .array(
      z.object({
        id: z.string(),
        level: z.int(),
        parent: z.string().nullable(),
        children: z.array(z.string()).default([]),
        description: z.string(),
      }),
    )
    .max(5000),
});
export type SeedClustersOutput = z.infer<typeof SeedClustersOutput>;

const SYSTEM = `You design the topic tree of a library of tools: small functions that compute or look something up. You are
shown a numbered sample of them; the tree must have a place for those and for others like them.

- Group by what a tool does: the quantity it computes or the knowledge it holds. What the examples are about (muffins,
  trains) matters only where it decides the computation.
- The root has id "root", level 1 and no parent. A child's level is its parent's plus one; no level is below the depth
  you are told. Nodes without children are leaves: tools will be put into them.
- An id is two to five lower-case words joined by hyphens, used once. A tool's name is never an id: nodes are topics.
- Siblings do not overlap. A leaf should fit some five to fifty tools of a large library.
- A description says in one sentence which tools belong there and which do not.`;

/** The first tree, from a sample. */
export const seedClustersRole = toolLibraryRole<SeedClustersInput, SeedClustersOutput>({
  key: 'seed-clusters',
  input: SeedClustersInput,
  output: SeedClustersOutput,
  params: { temperature: 0, maxOutputTokens: 16_384 },
  system: SYSTEM,
  reply:
    '{"clusters": [{"id": string, "level": integer, "parent": string | null, "children": [string], "description": string}]}',
  user: ({ depth, tools, feedback }) =>
    `Depth: ${depth} levels, the root's included.\n${fence(hashOf(tools), {
      tools: numbered(tools),
      problems_of_your_last_answer: feedbackText(feedback),
    })}`,
  builtinVersion: 1,
  builtin: async (input) => (await import('../builtin/seed-clusters.ts')).seedClusters(input),
});
