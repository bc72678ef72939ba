import type { Evidence } from '#shared/library/types.ts';
import { jsonIfAny, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import { sourceHashOf } from '../blueprint/close.ts';
import type { PartScope, PartSources } from '../blueprint/parts.ts';
import { isBad } from '../builtin/refactoring.ts';
import { evidenceOf } from '../create/evidence.ts';
import { keys, partName } from '../keys.ts';
import type { Reject, Sib } from '../records.ts';
import type { GatedCall, GatedFunction, Kept, RoundReport, SibState } from './state.ts';

/** What aggregation leaves of a scenario: functions that supersede tools, and the tools that are kept, with reasons. */

export interface SibResult {
  sib: Sib;
  rounds: number;
  accepted: boolean;
  module?: string;
  functions: (GatedFunction & { evidence: Evidence })[];
  /** Calls of all cases of superseded tools. */
  mapping: GatedCall[];
  kept: Kept[];
  history: RoundReport[];
}

/**
 * An aggregate supersedes a tool only if all its cases pass and all changed calls agree (section 9). In a scenario whose
 * rounds ran out, tools that the last review had nothing against are superseded too.
 */
export function resultOf(state: SibState, part: PartSources): SibResult {
  const { sib, gated } = state;
  const named = new Set(state.accepted ? [] : state.feedback.map(({ caseId }) => caseId));
  const superseded = new Set(
    state.status !== 'done' || (!state.accepted && state.blocked)
      ? []
      : sib.coveredToolIds.filter((id) => isServed(state, id, part, named)),
  );
  const mapping = (gated?.calls ?? []).filter(({ toolId }) => superseded.has(toolId));
  const used = new Set(mapping.map((call) => call.function));
  const transcripts = state.attempts.flatMap((attempt) => attempt.transcripts);
  return {
    sib,
    rounds: state.history.length,
    accepted: state.accepted,
    ...(gated?.module === undefined ? {} : { module: gated.module }),
    functions: (gated?.functions ?? [])
      .filter(({ name }) => used.has(name))
      .map((fn) => ({
        ...fn,
        evidence: evidenceOf(
          fn.id,
          transcripts.filter(({ turns }) => turns.length > 0),
        ),
      })),
    mapping,
    kept: sib.coveredToolIds.filter((id) => !superseded.has(id)).map((id) => keptOf(state, id, part)),
    history: state.history,
  };
}

function isServed(
  { executions }: SibState,
  id: string,
  part: PartSources,
  named: ReadonlySet<string | undefined>,
): boolean {
  const cases = part.cases.get(id) ?? [];
  const byCase = new Map(executions.map((execution) => [execution.caseId, execution]));
  return (
    cases.length > 0 &&
    cases.every((each) => {
      const execution = byCase.get(each.id);
      return execution !== undefined && !isBad(execution) && !named.has(each.id);
    })
  );
}

function keptOf(state: SibState, toolId: string, part: PartSources): Kept {
  const rounds = state.history.length;
  if (state.status !== 'done') {
    return {
      toolId,
      code: 'ROUNDS_EXHAUSTED',
      reason: `The job ended in round ${state.round} of its scenario.`,
    };
  }
  const cases = new Set((part.cases.get(toolId) ?? []).map(({ id }) => id));
  const failure = state.failures[toolId];
  if (failure !== undefined) return { toolId, code: 'NOT_EQUIVALENT', reason: failure };
  const said = state.feedback.find(({ caseId }) => caseId !== undefined && cases.has(caseId));
  if (!state.accepted) {
    const why = said ?? state.feedback[0];
    return {
      toolId,
      code: 'ROUNDS_EXHAUSTED',
      reason: `Not accepted in ${rounds} rounds: ${why?.problem ?? 'no reason given.'}`,
    };
  }
  return { toolId, code: 'NOT_COVERED', reason: 'The code agent left the tool out.' };
}

export interface AggregateDone {
  configHash: string;
  source: string;
  sibs: number;
  superseded: number;
  kept: number;
  /** Scenarios that a resumed job goes on with. */
  open: number;
}

const doneKey = ({ config, part }: PartScope): string => `${aggregatePrefix(config.jobId, part)}/done.json`;
export const aggregatePrefix = (jobId: string, part: number): string => keys.aggregate(jobId, partName(part));
export const resultsKey = (jobId: string, part: number): string =>
  `${aggregatePrefix(jobId, part)}/scenarios.jsonl`;

export async function finishedAggregate(
  scope: PartScope,
  sources: PartSources,
): Promise<AggregateDone | undefined> {
  const done = await jsonIfAny<AggregateDone>(scope.ctx.artifacts, doneKey(scope));
  const same = done?.configHash === scope.config.configHash && done.source === sourceHashOf(sources);
  return same && done.open === 0 ? done : undefined;
}

export async function closeAggregate(
  scope: PartScope,
  states: readonly SibState[],
  sources: PartSources,
): Promise<AggregateDone> {
  const { ctx, config, part } = scope;
  const results = states.map((state) => resultOf(state, sources));
  const notes = results.flatMap(({ kept, rounds }) =>
    kept.map(({ toolId, code, reason }): Reject => ({
      itemId: toolId,
      stage: 'aggregate',
      code,
      message: reason,
      evidence: resultsKey(config.jobId, part),
      round: rounds,
    })),
  );
  await writeJsonl(ctx.artifacts, resultsKey(config.jobId, part), results);
  await writeJsonl(ctx.artifacts, keys.rejects(config.jobId, 'aggregate', part), notes);
  const done: AggregateDone = {
    configHash: config.configHash,
    source: sourceHashOf(sources),
    sibs: results.length,
    superseded: results.reduce((sum, { sib, kept }) => sum + sib.coveredToolIds.length - kept.length, 0),
    kept: notes.length,
    open: states.filter(({ status }) => status !== 'done').length,
  };
  await writeJson(ctx.artifacts, doneKey(scope), done);
  await ctx.jobs.advance(config.jobId, 'Aggregate', partName(part), sources.tools.size);
  return done;
}
