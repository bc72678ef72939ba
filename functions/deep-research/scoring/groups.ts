import { readJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import type { RolloutLine } from '../records.ts';

/** One group of a rollout file: the runs of one question, or of one partial rollout. */
export interface GroupLine {
  groupId: string;
  questionId: string;
  runs: string[];
}

/** The groups of a rollout file, in its order: the runs of a group stand together. */
export async function* groupLines(artifacts: Artifacts, rollouts: ArtifactRef): AsyncGenerator<GroupLine> {
  let group: GroupLine | undefined;
  for await (const { value } of readJsonl(artifacts, rollouts)) {
    const { groupId, questionId, runId } = value as RolloutLine;
    if (group && group.groupId !== groupId) {
      yield group;
      group = undefined;
    }
    group ??= { groupId, questionId, runs: [] };
    group.runs.push(runId);
  }
  if (group) yield group;
}
