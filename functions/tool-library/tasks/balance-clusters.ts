import { z } from 'zod';
import { writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { defect } from '#shared/task/errors.ts';
import { readAssigned } from '../clustering/assign.ts';
import { balanceClusters, type PlacedTool } from '../clustering/balance.ts';
import { cardParts, readCards, readVectors } from '../clustering/cards.ts';
import { treeAt, type ClusteringScope } from '../clustering/store.ts';
import { UNASSIGNED } from '../clustering/tree.ts';
import { loadConfig } from '../config.ts';
import { keys } from '../keys.ts';
import { jobInput, RefSchema } from './clustering-schemas.ts';

const count = z.int().nonnegative();

/** `BalanceClusters`: leaves become the clusters that Blueprint maps over. */
export const handler = defineTask({
  name: 'tool-library/balance-clusters',
  input: z.object({ ...jobInput, version: count }),
  output: z.object({ index: RefSchema, clusters: count, tools: count, unassigned: count }),
  async run(input, ctx) {
    const { jobId, version } = input;
    const { artifacts } = ctx;
    const config = await loadConfig(artifacts, input.config);
    const scope: ClusteringScope = { ctx, config };
    const { tree } = await treeAt(scope, version);
    const tools: PlacedTool[] = [];
    for (const { part } of await cardParts(artifacts, jobId)) {
      const leafOf = new Map(await readAssigned(scope, part));
      const vectors = await readVectors(artifacts, jobId, part);
      for (const [index, { id }] of (await readCards(artifacts, jobId, part)).entries()) {
        const leafId = leafOf.get(id);
        if (leafId === undefined) throw defect(`The tool ${id} was never assigned.`);
        tools.push({ id, leafId, vector: vectors[index]! });
      }
    }
    const { minCluster: min, maxCluster: max } = config.input.tree;
    const clusters = balanceClusters(tree, tools, { min, max });
    const toolsOf = new Map<string, string[]>();
    for (const { id, leafId } of tools) toolsOf.set(leafId, [...(toolsOf.get(leafId) ?? []), id]);
    await writeJson(artifacts, keys.tree(jobId, 'final.json'), {
      ...tree,
      nodes: tree.nodes.map((node) => ({ ...node, toolIds: toolsOf.get(node.id) ?? [] })),
    });
    const index = await writeJsonl(artifacts, keys.clusters(jobId), clusters);
    return {
      index,
      clusters: clusters.length,
      tools: tools.length,
      unassigned: toolsOf.get(UNASSIGNED)?.length ?? 0,
    };
  },
});
