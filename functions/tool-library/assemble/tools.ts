import { sha256Hex } from '#shared/determinism/hash.ts';
import type { LibraryTool, Tool } from '#shared/library/types.ts';
import type { SibResult } from '../aggregate/results.ts';
import type { GatedCall } from '../aggregate/state.ts';
import type { ToolLibraryConfig } from '../config.ts';
import type { RoleKey } from '../input.ts';

/** Rows of the library: functions that supersede several tools, and tools kept as they are. */

/** Where a tool stands in the topic tree. */
export interface Place {
  clusterId: string;
  path: string[];
}

/** A case's call on a tool of the library. */
export interface PlacedCall {
  caseId: string;
  /** The tool that the case was admitted with. */
  source: string;
  /** The library's tool that answers it. */
  toolId: string;
  setup?: string;
  call: string;
}

const NOWHERE: Place = { clusterId: 'unassigned', path: [] };
const MAX_TAGS = 8;

const distinct = (words: readonly string[]): string[] => [...new Set(words)].sort();

export function aggregatedTool(
  fn: SibResult['functions'][number],
  { sib, rounds }: SibResult,
  moduleId: string | undefined,
  sources: readonly Tool[],
  mapping: readonly GatedCall[],
  place: Place = NOWHERE,
  config: ToolLibraryConfig,
): LibraryTool {
  const roles: RoleKey[] = ['write-code', ...(rounds > 1 ? ['patch-code' as const] : []), 'review-code'];
  return {
    id: fn.id,
    name: fn.name,
    aliases: [],
    kind: sources.every(({ kind }) => kind === 'knowledge') ? 'knowledge' : 'compute',
    description: fn.description,
    schema: fn.schema,
    code: fn.code,
    entry: fn.name,
    caseIds: mapping.map(({ caseId }) => caseId),
    tags: frequent(sources.flatMap(({ tags }) => tags)),
    validated: fn.evidence.mattered > 0 ? 'resolved' : 'executed',
    evidence: fn.evidence,
    lineage: {
      questions: distinct(sources.flatMap(({ lineage }) => lineage.questions)),
      sibId: sib.id,
      rounds,
      models: distinct([
        ...sources.flatMap(({ lineage }) => lineage.models),
        ...roles.map((role) => config.models[role]),
      ]),
      roles: Object.fromEntries(roles.map((role) => [role, config.roles[role] ?? ''])),
      parents: distinct(sources.map(({ id }) => id)),
      codeHash: sha256Hex(fn.code).slice(0, 16),
    },
    ...place,
    ...(moduleId === undefined ? {} : { moduleId }),
    sibId: sib.id,
    mapping: [],
  };
}

export const keptTool = (tool: Tool, place: Place = NOWHERE, reason: string | undefined): LibraryTool => ({
  ...tool,
  ...place,
  keptBecause: reason ?? 'The job ended before its cluster was refactored.',
  mapping: [],
});

/** The tags that most tools have. */
function frequent(tags: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const tag of tags) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  return [...counts]
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, MAX_TAGS)
    .map(([tag]) => tag);
}
