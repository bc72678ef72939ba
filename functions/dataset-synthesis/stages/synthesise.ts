import { writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { InferRequest } from '#shared/models/types.ts';
import { loadBenchmarkIndex } from '../curation/benchmarks.ts';
import { rows, rowsIfAny } from '../io.ts';
import type { Analysed, Document, Provenance, QaRecord, Reject, StageResult } from '../records.ts';
import { rankOf } from '../selection/sampling.ts';
import { countsOf, whereIs } from './analyse.ts';
import { ended } from './outcome.ts';
import { overflowOf } from './overflow.ts';
import { PartRecorder, provenanceOf } from './recorder.ts';
import { finishedPart, settledResults, type BatchResults, type PartDone, type StageScope } from './store.ts';
import {
  checkOutcome,
  checkRequest,
  generateOutcome,
  generateRequest,
  pairIdOf,
  type Candidate,
  type PlannedPair,
} from './synthesis.ts';

/** Generate and check over pair parts: what plan and apply do for one child execution of SynthesisePairs. */

/** A slice of an `analysed` part: rows from `from` to `to` (exclusive), from 0. */
export interface AnalysedSlice {
  part: string;
  from: number;
  to: number;
}

/** One line of `pairs/plan.jsonl`. */
export interface PairShard {
  part: string;
  slices: AnalysedSlice[];
  /** Pairs of this part, after sampling. */
  count: number;
  /** Highest rank of sha256(seed|pairId) that is sampled, over all and by domain; absent: all. */
  sample?: { all?: number; byDomain?: Record<string, number> };
}

/** An accepted pair on its way to curation: the record, and where its document is. */
export interface AcceptedPair {
  record: QaRecord;
  part: string;
  line: number;
  pairId: string;
  source: Reject['source'];
}

/** Whether a pair is in the job's sample. */
export function isSampled(
  shard: Pick<PairShard, 'sample'>,
  seed: number,
  domain: string,
  pairId: string,
): boolean {
  if (!shard.sample) return true;
  const rank = rankOf(seed, pairId);
  return rank <= (shard.sample.all ?? Infinity) && rank <= (shard.sample.byDomain?.[domain] ?? Infinity);
}

/** The planned pairs of a part, each with its document. */
export async function* pairsOf(scope: StageScope, shard: PairShard): AsyncGenerator<PlannedPair> {
  const { ctx, keys, config } = scope;
  for (const slice of shard.slices) {
    const analysed: Analysed[] = [];
    let row = 0;
    for await (const item of rows<Analysed>(ctx.artifacts, keys.analysed(slice.part))) {
      if (row >= slice.from && row < slice.to) analysed.push(item);
      row++;
    }
    let next = 0;
    let line = 0;
    for await (const document of rows<Document>(ctx.artifacts, keys.documents(slice.part))) {
      line++;
      const item = analysed[next];
      if (!item) break;
      if (item.line !== line) continue;
      next++;
      for (let personaIndex = 0; personaIndex < item.personas.length; personaIndex++) {
        const pairId = pairIdOf(item.docId, personaIndex);
        if (isSampled(shard, config.input.seed, item.domain, pairId)) {
          yield { pairId, personaIndex, analysed: item, document };
        }
      }
    }
  }
}

/** The generate requests of parts that are not done, without those answered in an earlier attempt. */
export async function* planGenerate(scope: StageScope, shards: PairShard[]): AsyncGenerator<InferRequest> {
  const asked = new Set<string>();
  for (const shard of await openShards(scope, shards)) {
    const settled = await settledResults(scope, 'generate', shard.part);
    for await (const pair of pairsOf(scope, shard)) {
      const id = `${pair.pairId}:generate`;
      if (settled.has(id) || asked.has(id)) continue;
      asked.add(id);
      const request = generateRequest(pair, scope.config);
      if (!overflowOf('generate', request, scope.config)) yield request;
    }
  }
}

/** Puts what was generated through gates 3 to 8 and yields the judge's requests of what passed. */
export async function* applyGenerate(
  scope: StageScope,
  shards: PairShard[],
  batch: BatchResults,
): AsyncGenerator<InferRequest> {
  const { ctx, keys, config } = scope;
  const benchmarks = await loadBenchmarkIndex(config, ctx.artifacts, keys);
  const asked = new Set<string>();
  for (const shard of await openShards(scope, shards)) {
    const generated = await settledResults(scope, 'generate', shard.part);
    const checked = await settledResults(scope, 'check', shard.part);
    const recorder = new PartRecorder(scope, 'generate', shard.part, batch, generated);
    const candidates: Candidate[] = [];
    for await (const pair of pairsOf(scope, shard)) {
      const candidate = recorder.record(
        { id: pair.pairId, requested: true, pairId: pair.pairId, ...whereIs(pair.document) },
        () => generateRequest(pair, config),
        (result) => generateOutcome(pair, result!, config, benchmarks),
      );
      if (!candidate) continue;
      const request = checkRequest(candidate, pair.document.text, config);
      const unsent = overflowOf('check', request, config);
      candidates.push(unsent ? { ...candidate, unsent } : candidate);
      if (unsent || checked.has(request.id) || asked.has(request.id)) continue;
      asked.add(request.id);
      yield request;
    }
    await writeJsonl(ctx.artifacts, keys.candidates(shard.part), candidates);
    await recorder.write();
    await announce(scope, shard.part, ended(recorder.counts));
  }
}

/** Decides the judge's answers, writes each part's accepted pairs and its marker. */
export async function applyCheck(
  scope: StageScope,
  shards: PairShard[],
  batch: BatchResults,
): Promise<PartDone[]> {
  const { ctx, keys, config } = scope;
  const all: PartDone[] = [];
  for (const shard of shards) {
    const finished = await finishedPart(scope, keys.pairsDone(shard.part));
    if (finished) {
      all.push(finished);
      await announce(scope, shard.part, finished.stages.generate?.planned ?? 0);
      continue;
    }
    const generate = await countsOf(scope, 'generate', shard.part);
    const settled = await settledResults(scope, 'check', shard.part);
    const recorder = new PartRecorder(scope, 'check', shard.part, batch, settled);
    const earlier = await analysisCalls(scope, shard);
    const texts = config.input.mode === 'preview' ? await textsOf(scope, shard) : undefined;
    async function* accepted(): AsyncGenerator<AcceptedPair> {
      for await (const candidate of rowsIfAny<Candidate>(ctx.artifacts, keys.candidates(shard.part))) {
        const { pairId, docId, question, answer } = candidate.candidate;
        const where = whereIs(candidate.source);
        const record = recorder.record(
          { id: pairId, requested: !candidate.unsent, pairId, question, answer, ...where },
          () => checkRequest(candidate, texts?.get(docId) ?? '', config),
          (result) => candidate.unsent ?? checkOutcome(candidate, result!, earlier.get(docId) ?? []),
        );
        const { part, line } = candidate;
        if (record) yield { record, part, line, pairId, source: where.source };
      }
    }
    await writeJsonl(ctx.artifacts, keys.pairs(shard.part), accepted());
    await recorder.write();
    const done: PartDone = {
      configHash: config.configHash,
      stages: { generate: generate.counts, check: recorder.counts },
      open: generate.open + recorder.open,
      accepted: recorder.counts.ok,
    };
    await writeJson(ctx.artifacts, keys.pairsDone(shard.part), done);
    await announce(scope, shard.part, generate.counts.planned);
    all.push(done);
  }
  return all;
}

/** A part counts as what it last said: first the pairs that the gates ended, at its end all of them. */
const announce = ({ ctx, config }: StageScope, part: string, pairs: number): Promise<void> =>
  ctx.jobs.advance(config.jobId, 'SynthesisePairs', part, pairs);

async function openShards(scope: StageScope, shards: PairShard[]): Promise<PairShard[]> {
  const open: PairShard[] = [];
  for (const shard of shards) {
    if (!(await finishedPart(scope, scope.keys.pairsDone(shard.part)))) open.push(shard);
  }
  return open;
}

/** The filter and identify calls of each document of a part, for provenance. */
async function analysisCalls(scope: StageScope, shard: PairShard): Promise<Map<string, Provenance[]>> {
  const calls = new Map<string, Provenance[]>();
  for (const part of new Set(shard.slices.map((slice) => slice.part))) {
    for (const stage of ['filter', 'identify'] as const) {
      for await (const row of rowsIfAny<StageResult>(scope.ctx.artifacts, scope.keys.stages(stage, part))) {
        if (row.status !== 'ok' || row.callId === '') continue;
        const list = calls.get(row.subjectId) ?? [];
        // With duplicates kept, a part may hold a document twice.
        if (!list.some((call) => call.stage === stage)) list.push(provenanceOf(row));
        calls.set(row.subjectId, list);
      }
    }
  }
  return calls;
}

async function textsOf(scope: StageScope, shard: PairShard): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  for await (const { document } of pairsOf(scope, shard)) texts.set(document.docId, document.text);
  return texts;
}
