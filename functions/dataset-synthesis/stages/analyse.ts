import { writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { InferRequest } from '#shared/models/types.ts';
import { rowsIfAny } from '../io.ts';
import type { Analysed, Document, Reject, Stage, StageResult } from '../records.ts';
import type { Shard } from '../selection/select.ts';
import {
  filterOutcome,
  filterRequest,
  identifyOutcome,
  identifyRequest,
  type PlacedDocument,
} from './analysis.ts';
import { ended, type StageCounts } from './outcome.ts';
import { overflowOf } from './overflow.ts';
import { PartRecorder } from './recorder.ts';
import {
  documentsOf,
  finishedPart,
  settledResults,
  type BatchResults,
  type PartDone,
  type StageScope,
} from './store.ts';

/** Filter and identify over document parts: what plan and apply do for one child execution of AnalyseDocuments. */

/** The filter requests of parts that are not done, without those answered in an earlier attempt. */
export async function* planFilter(scope: StageScope, shards: Shard[]): AsyncGenerator<InferRequest> {
  const asked = new Set<string>();
  for (const shard of await openShards(scope, shards)) {
    const settled = await settledResults(scope, 'filter', shard.part);
    for await (const placed of documentsOf(scope, shard)) {
      const id = `${placed.document.docId}:filter`;
      if (settled.has(id) || asked.has(id)) continue;
      asked.add(id);
      const request = filterRequest(placed, scope.config);
      if (!overflowOf('filter', request, scope.config)) yield request;
    }
  }
}

/** Decides the filter answers and yields the identify requests of what passed. */
export async function* applyFilter(
  scope: StageScope,
  shards: Shard[],
  batch: BatchResults,
): AsyncGenerator<InferRequest> {
  const asked = new Set<string>();
  for (const shard of await openShards(scope, shards)) {
    const filtered = await settledResults(scope, 'filter', shard.part);
    const identified = await settledResults(scope, 'identify', shard.part);
    const recorder = new PartRecorder(scope, 'filter', shard.part, batch, filtered);
    for await (const placed of documentsOf(scope, shard)) {
      const passed = recorder.record(
        { id: placed.document.docId, requested: true, ...whereIs(placed.document) },
        () => filterRequest(placed, scope.config),
        (result) => filterOutcome(result!),
      );
      if (!passed) continue;
      const request = identifyRequest(placed, scope.config);
      if (!request || identified.has(request.id) || asked.has(request.id)) continue;
      asked.add(request.id);
      if (!overflowOf('identify', request, scope.config)) yield request;
    }
    await recorder.write();
    await announce(scope, shard.part, ended(recorder.counts));
  }
}

/** Decides the identify answers, writes each part's `analysed` records and its marker. */
export async function applyIdentify(
  scope: StageScope,
  shards: Shard[],
  batch: BatchResults,
): Promise<PartDone[]> {
  const { ctx, keys, config } = scope;
  const all: PartDone[] = [];
  for (const shard of shards) {
    const finished = await finishedPart(scope, keys.analysedDone(shard.part));
    if (finished) {
      all.push(finished);
      await announce(scope, shard.part, finished.stages.filter?.planned ?? 0);
      continue;
    }
    const passed = new Set<string>();
    const filter = await countsOf(scope, 'filter', shard.part, passed);
    const settled = await settledResults(scope, 'identify', shard.part);
    const recorder = new PartRecorder(scope, 'identify', shard.part, batch, settled);
    async function* analysed(): AsyncGenerator<Analysed> {
      for await (const placed of documentsOf(scope, shard)) {
        if (!passed.has(placed.document.docId)) continue;
        const request = (): InferRequest | undefined => identifyRequest(placed, config);
        const next = recorder.record(
          { id: placed.document.docId, requested: needsIdentify(placed, scope), ...whereIs(placed.document) },
          request,
          (result) => identifyOutcome(placed, result, config),
        );
        if (next) yield next;
      }
    }
    await writeJsonl(ctx.artifacts, keys.analysed(shard.part), analysed());
    await recorder.write();
    const done: PartDone = {
      configHash: config.configHash,
      stages: { filter: filter.counts, identify: recorder.counts },
      open: filter.open + recorder.open,
      accepted: recorder.counts.ok,
    };
    await writeJson(ctx.artifacts, keys.analysedDone(shard.part), done);
    await announce(scope, shard.part, filter.counts.planned);
    all.push(done);
  }
  return all;
}

const needsIdentify = (_: PlacedDocument, { config }: StageScope): boolean =>
  !(config.input.domains.fixed !== undefined && config.input.personas.mode === 'instructor');

/** A part counts as what it last said: first the documents that the filter ended, at its end all of them. */
const announce = ({ ctx, config }: StageScope, part: string, documents: number): Promise<void> =>
  ctx.jobs.advance(config.jobId, 'AnalyseDocuments', part, documents);

async function openShards(scope: StageScope, shards: Shard[]): Promise<Shard[]> {
  const open: Shard[] = [];
  for (const shard of shards) {
    if (!(await finishedPart(scope, scope.keys.analysedDone(shard.part)))) open.push(shard);
  }
  return open;
}

/** Counts of a stage that wrote its StageResults before; ids of subjects that passed are added to `passed`. */
export async function countsOf(
  scope: StageScope,
  stage: Stage,
  part: string,
  passed?: Set<string>,
): Promise<{ counts: StageCounts; open: number }> {
  const counts: StageCounts = { planned: 0, ok: 0, rejected: 0, failed: 0, pending: 0 };
  let open = 0;
  for await (const row of rowsIfAny<StageResult>(scope.ctx.artifacts, scope.keys.stages(stage, part))) {
    counts.planned++;
    counts[row.status]++;
    if (row.status === 'pending' || row.code === 'PROVIDER_ERROR') open++;
    if (row.status === 'ok') passed?.add(row.subjectId);
  }
  return { counts, open };
}

/** Where a document stands, as its rejects say. */
export const whereIs = ({
  docId,
  licence,
  position,
}: Pick<Document, 'docId' | 'licence' | 'position'>): {
  source: Reject['source'];
  licence: string;
  docId: string;
} => ({
  source: { uri: position.file, line: position.line, byteStart: position.byteStart },
  licence,
  docId,
});
