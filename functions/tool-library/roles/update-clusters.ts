import { z } from 'zod';
import { hashOf } from '#shared/determinism/hash.ts';
import { fence } from '#shared/models/fence.ts';
import { toolLibraryRole } from './define.ts';
import { FeedbackSchema, feedbackText, numbered, TopicToolSchema } from './topics.ts';

export const UpdateClustersInput = z.strictObject({
  depth: z.int().min(2),
  tree: z.array(
    z.strictObject({
      id: z.string(),
      parent: z.string().nullable(),
      level: z.int(),
      description: z.string(),
    }),
  ),
  tools: z.array(TopicToolSchema).min(1),
  feedback: FeedbackSchema,
  /** For the builtin: the tools (numbered from 1) that fit no leaf, in groups, each with the node it would stand below. */
  analysis: z.strictObject({
    groups: z.array(z.strictObject({ parent: z.string(), tools: z.array(z.int().positive()).min(1) })),
  }),
});
export type UpdateClustersInput = z.infer<typeof UpdateClustersInput>;

const Operation = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('ADD_NODE'),
    id: z.string(),
    parent: z.string().nullable(),
    level: z.int(),
    description: z.string(),
  }),
  z.object({
    type: z.literal('MODIFY_NODE'),
    id: z.string(),
    parent: z.string().optional(),
    description: z.string().optional(),
  }),
]);
export const UpdateClustersOutput = z.object({ operations: z.array(Operation).max(1000) });
export type UpdateClustersOutput = z.infer<typeof UpdateClustersOutput>;

const SYSTEM = `You keep the topic tree of a library of tools: small functions that compute or look something up. You are shown
the tree and a numbered batch of tools that it has not seen.

- Where every tool of the batch has a leaf that fits, reply with no operations.
- ADD_NODE adds a topic that is missing. Its id is two to five lower-case words joined by hyphens and not yet used, its
  parent is in the tree or added by you, its level is the parent's plus one and not below the depth you are told.
- MODIFY_NODE changes a description that is too narrow, or hangs a node below another parent of the same level.
- Nothing can be removed. A tool's name is never an id: nodes are topics, not tools.
- Group by what a tool does, not by what its example is about. Prefer a wider description to a new node for one tool.`;

/** Changes of the tree for a batch of tools. */
export const updateClustersRole = toolLibraryRole<UpdateClustersInput, UpdateClustersOutput>({
  key: 'update-clusters',
  input: UpdateClustersInput,
  output: UpdateClustersOutput,
  params: { temperature: 0, maxOutputTokens: 8192 },
  system: SYSTEM,
  reply:
    '{"operations": [{"type": "ADD_NODE", "id": string, "parent": string, "level": integer, "description": string} | {"type": "MODIFY_NODE", "id": string, "parent"?: string, "description"?: string}]}',
  user: ({ depth, tree, tools, feedback }) =>
    `Depth: ${depth} levels, the root's included.\n${fence(hashOf([tree, tools]), {
      tree: tree
        .map((node) => `${'  '.repeat(node.level - 1)}${node.id} (level ${node.level}): ${node.description}`)
        .join('\n'),
      tools: numbered(tools),
      problems_of_your_last_answer: feedbackText(feedback),
    })}`,
  builtinVersion: 1,
  builtin: async (input) => (await import('../builtin/update-clusters.ts')).updateClusters(input),
});
