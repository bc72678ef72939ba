import { hashOf } from '#shared/determinism/hash.ts';
import { jsonIfAny, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { Json } from '#shared/storage/ports.ts';
import { keys, partName } from '../keys.ts';
import type { Reject, Sib } from '../records.ts';
import { partPrefix, type PartScope, type PartSources } from './parts.ts';
import { uncoveredIn, type ClusterState } from './state.ts';

/** What a part's blueprint leaves: scenarios, and the tools that stand alone. */

export interface BlueprintDone {
  configHash: string;
  /** Content that it was made of. */
  source: string;
  sibs: number;
  covered: number;
  alone: number;
}

const doneKey = ({ config, part }: PartScope): string => `${partPrefix(config.jobId, part)}/blueprint.json`;
export const sibsKey = ({ config, part }: PartScope): string =>
  `${partPrefix(config.jobId, part)}/sibs.jsonl`;

/** What the part is made of: a resumed job may have more tools than the attempt before. */
export const sourceHashOf = ({ clusters, tools, cases }: PartSources): string =>
  hashOf([clusters, [...tools.keys()], [...cases.values()].flat().map(({ id }) => id)]).slice(0, 16);

/** The marker of a part whose blueprint need not be made again. */
export async function finishedBlueprint(
  scope: PartScope,
  sources: PartSources,
): Promise<BlueprintDone | undefined> {
  const done = await jsonIfAny<BlueprintDone>(scope.ctx.artifacts, doneKey(scope));
  const same = done?.configHash === scope.config.configHash && done.source === sourceHashOf(sources);
  return same ? done : undefined;
}

export const sibIdOf = (clusterId: string, toolIds: readonly string[]): string =>
  `s_${hashOf([clusterId, [...toolIds].sort()]).slice(0, 16)}`;

export async function closeBlueprint(
  scope: PartScope,
  states: readonly ClusterState[],
  sources: PartSources,
): Promise<BlueprintDone> {
  const { ctx, config, part } = scope;
  const sibs = states.flatMap(({ cluster, scenarios }) =>
    scenarios.map(({ design, toolIds, pass }): Sib => ({
      id: sibIdOf(cluster.clusterId, toolIds),
      clusterId: cluster.clusterId,
      name: design.name,
      description: design.description,
      classes: design.classes as Json[],
      functions: design.functions as Json[],
      coveredToolIds: [...toolIds].sort(),
      pass,
    })),
  );
  const alone = states.flatMap((state) =>
    uncoveredIn(state).map((id): Reject => ({
      itemId: id,
      stage: 'blueprint',
      code: 'NOT_COVERED',
      message: 'No scenario of its cluster covers the tool: it stands alone.',
      evidence: sibsKey(scope),
      round: state.pass,
    })),
  );
  await writeJsonl(ctx.artifacts, sibsKey(scope), sibs);
  await writeJsonl(ctx.artifacts, keys.rejects(config.jobId, 'blueprint', part), alone);
  const done: BlueprintDone = {
    configHash: config.configHash,
    source: sourceHashOf(sources),
    sibs: sibs.length,
    covered: sibs.reduce((sum, { coveredToolIds }) => sum + coveredToolIds.length, 0),
    alone: alone.length,
  };
  await writeJson(ctx.artifacts, doneKey(scope), done);
  await ctx.jobs.advance(config.jobId, 'Blueprint', partName(part), sources.tools.size);
  return done;
}
