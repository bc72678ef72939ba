import type { Case, Evidence, Tool } from '#shared/library/types.ts';
import { jsonIfAny, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { writeCards } from '../clustering/cards.ts';
import type { ToolLibraryConfig } from '../config.ts';
import { shardDoneKey, type ShardDone } from '../create/store.ts';
import type { ShardPointer } from '../ingest/ingest.ts';
import { rowsIfAny } from '../io.ts';
import { keys } from '../keys.ts';
import { baseTools } from './base.ts';
import { renameClashes, type Collected } from './rename.ts';

/** Everything that was admitted, as one list: identical trees are one tool, their cases united (section 4.3). */

export interface CollectedSummary {
  /** New tools, each once: what another new tool or one of the base version is already has collapsed into it. */
  admitted: number;
  collapsed: number;
  /** Tools of the base version among those collected. */
  base: number;
  tools: number;
  cases: number;
  /** Items that a resumed job goes on with. */
  open: number;
  /** Why shards ended early, where some did. */
  stop?: string;
}

export async function collectTools(ctx: TaskContext, config: ToolLibraryConfig) {
  const { artifacts } = ctx;
  const { jobId } = config;
  const created: Collected = { tools: [], cases: [] };
  let open = 0;
  let stop: string | undefined;
  for (const { part } of await rowsIfAny<ShardPointer>(artifacts, keys.shardIndex(jobId))) {
    const done = await jsonIfAny<ShardDone>(artifacts, shardDoneKey({ ctx, config, part }));
    // A shard that never began is open as a whole.
    open += done?.open ?? 1;
    stop ??= done ? done.stop : 'incomplete';
    created.tools.push(...(await rowsIfAny<Tool>(artifacts, keys.createdTools(jobId, part))));
    created.cases.push(...(await rowsIfAny<Case>(artifacts, keys.createdCases(jobId, part))));
  }
  const base =
    config.base === undefined
      ? { tools: [], cases: [] }
      : await baseTools(ctx, config.input.libraryId, config.base);
  const united = unite({
    tools: [...base.tools, ...created.tools],
    cases: [...base.cases, ...created.cases],
  });
  const { tools, cases } = await renameClashes(united);
  const toolsRef = await writeJsonl(artifacts, keys.tools(jobId), tools);
  await writeJsonl(artifacts, keys.cases(jobId), cases);
  const { index } = await writeCards(artifacts, jobId, tools);
  const summary: CollectedSummary = {
    admitted: tools.length - base.tools.length,
    collapsed: base.tools.length + created.tools.length - tools.length,
    base: base.tools.length,
    tools: tools.length,
    cases: cases.length,
    open,
    ...(stop === undefined ? {} : { stop }),
  };
  await writeJson(artifacts, keys.collectSummary(jobId), summary);
  return { ...summary, index, ref: toolsRef };
}

/** Tools of one id become one, in id order; so do cases, by tool and id. */
export function unite({ tools, cases }: Collected): Collected {
  const byId = new Map<string, Tool>();
  for (const tool of tools) {
    const before = byId.get(tool.id);
    byId.set(tool.id, before ? merge(before, tool) : tool);
  }
  const caseById = new Map(cases.map((each) => [each.id, each]));
  const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  const unitedCases = [...caseById.values()].sort((a, b) => byText(a.toolId, b.toolId) || byText(a.id, b.id));
  const idsOf = new Map<string, string[]>();
  for (const { toolId, id } of unitedCases) idsOf.set(toolId, [...(idsOf.get(toolId) ?? []), id]);
  const unitedTools = [...byId.values()]
    .map((tool) => ({ ...tool, caseIds: idsOf.get(tool.id) ?? [] }))
    .sort((a, b) => byText(a.id, b.id));
  return { tools: unitedTools, cases: unitedCases };
}

const distinct = (...lists: readonly string[][]): string[] => [...new Set(lists.flat())];

function merge(a: Tool, b: Tool): Tool {
  return {
    ...a,
    aliases: distinct(a.aliases, b.aliases),
    tags: distinct(a.tags, b.tags),
    validated: a.validated === 'resolved' || b.validated === 'resolved' ? 'resolved' : 'executed',
    evidence: sum(a.evidence, b.evidence),
    lineage: {
      ...a.lineage,
      questions: distinct(a.lineage.questions, b.lineage.questions).sort(),
      models: distinct(a.lineage.models, b.lineage.models).sort(),
      rounds: Math.max(a.lineage.rounds, b.lineage.rounds),
      roles: { ...b.lineage.roles, ...a.lineage.roles },
    },
  };
}

const sum = (a: Evidence, b: Evidence): Evidence => ({
  runs: a.runs + b.runs,
  called: a.called + b.called,
  mattered: a.mattered + b.mattered,
  rightWithoutCall: a.rightWithoutCall + b.rightWithoutCall,
});
