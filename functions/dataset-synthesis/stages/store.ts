import { readTraces, type PartLine } from '#shared/models/batch/traces.ts';
import type { InferResult } from '#shared/models/types.ts';
import { jsonIfAny } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import { defect } from '#shared/task/errors.ts';
import type { TaskContext } from '#shared/task/context.ts';
import type { SynthesisConfig } from '../config.ts';
import { rows, rowsIfAny } from '../io.ts';
import type { Keys } from '../keys.ts';
import type { Stage } from '../records.ts';
import type { Shard } from '../selection/select.ts';
import type { PlacedDocument } from './analysis.ts';
import { isSettled, type CallTrace, type StageCounts, type Stop } from './outcome.ts';

/** What a stage's plan and apply read and write with. */
export interface StageScope {
  ctx: Pick<TaskContext, 'artifacts' | 'jobs' | 'attempt' | 'log'>;
  config: SynthesisConfig;
  keys: Keys;
}

/** The marker of a finished part: its counts, and whether anything would come out differently another time. */
export interface PartDone {
  configHash: string;
  /** By stage, such as `{filter: {planned: 50, …}, identify: {…}}`. */
  stages: Partial<Record<Stage, StageCounts>>;
  /** Subjects that a resumed job asks for again: provider errors and pending ones. */
  open: number;
  accepted: number;
}

/** The marker of a part that need not run again; undefined where there is none, or where subjects are open. */
export async function finishedPart(scope: StageScope, key: string): Promise<PartDone | undefined> {
  const done = await jsonIfAny<PartDone>(scope.ctx.artifacts, key);
  return done?.configHash === scope.config.configHash && done.open === 0 ? done : undefined;
}

/** Answers a part has already from earlier attempts and need not be asked for again, by request id. */
export async function settledResults(
  scope: StageScope,
  stage: Stage,
  part: string,
): Promise<Map<string, InferResult>> {
  const settled = new Map<string, InferResult>();
  for await (const result of rowsIfAny<InferResult>(scope.ctx.artifacts, scope.keys.results(stage, part))) {
    if (isSettled(result)) settled.set(result.id, result);
  }
  return settled;
}

/** The selected documents of a part, in order. */
export async function* documentsOf(scope: StageScope, shard: Shard): AsyncGenerator<PlacedDocument> {
  const wanted = shard.lines ? new Set(shard.lines) : undefined;
  let line = 0;
  for await (const document of rows<PlacedDocument['document']>(
    scope.ctx.artifacts,
    scope.keys.documents(shard.part),
  )) {
    line++;
    if (!wanted || wanted.has(line)) yield { document, part: shard.part, line };
  }
}

/** What inference answered for one child execution. */
export interface BatchResults {
  byId: Map<string, InferResult>;
  traces: Map<string, CallTrace>;
  stop: Stop | undefined;
}

/**
 * The results of a batch by request id. Where inference was stopped there is no assembled file: what it had flushed
 * below the prefix is used. Traces are there as far as inference kept them.
 */
export async function batchResults(
  scope: StageScope,
  event: { results?: ArtifactRef | undefined; prefix: string; stop?: Stop | undefined },
): Promise<BatchResults> {
  const byId = new Map<string, InferResult>();
  const traces = new Map<string, CallTrace>();
  const add = async (source: AsyncIterable<PartLine>): Promise<void> => {
    for await (const { trace, ...result } of source) {
      const known = byId.get(result.id);
      // A second pass over failures appends its answer after the first one's.
      if (!known || known.status === 'failed') byId.set(result.id, result);
      if (trace) traces.set(result.id, trace);
    }
  };
  if (event.results) {
    await add(rows(scope.ctx.artifacts, event.results));
    for (const [id, trace] of await readTraces(scope.ctx.artifacts, event.prefix)) traces.set(id, trace);
  } else if (event.stop) {
    for (const key of await flushedParts(scope, event.prefix)) await add(rows(scope.ctx.artifacts, key));
  } else {
    throw defect('Inference gave no results and was not stopped.');
  }
  return { byId, traces, stop: event.stop };
}

async function flushedParts(scope: StageScope, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  let after: string | undefined;
  do {
    const page = await scope.ctx.artifacts.list({
      prefix: `${prefix}/part-`,
      ...(after === undefined ? {} : { after }),
    });
    keys.push(...page.objects.map(({ key }) => key).filter((key) => key.endsWith('.jsonl')));
    after = page.next;
  } while (after !== undefined);
  return keys;
}
