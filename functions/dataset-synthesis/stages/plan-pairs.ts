import { jsonIfAny, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import { collect, mapOrdered, rows } from '../io.ts';
import { pad } from '../keys.ts';
import type { Analysed, Reject } from '../records.ts';
import { rejectOf } from '../rejects.ts';
import { rankOf, Ranks } from '../selection/sampling.ts';
import type { Shard } from '../selection/select.ts';
import { whereIs } from './analyse.ts';
import { addCounts, noCounts, type StageCounts } from './outcome.ts';
import { documentsOf, type PartDone, type StageScope } from './store.ts';
import { pairIdOf } from './synthesis.ts';
import { isSampled, type AnalysedSlice, type PairShard } from './synthesise.ts';

/** What analysis came to; kept in `pairs/analysis.json`. */
export interface AnalysisSummary {
  filter: StageCounts;
  identify: StageCounts;
  /** Documents whose child execution failed for reasons of the platform; each is a reject of class failure. */
  lost: number;
  analysed: number;
  /** Pairs the analysed documents offer, and those planned after `limits`. */
  offered: number;
  pairs: number;
  byDomain: Record<string, number>;
  /** Sum of the document tokens over planned pairs. */
  tokens: number;
  plan: ArtifactRef;
}

/** Parts joined into one pair part at most. */
const PARTS_A_SHARD = 20;

/** Cuts analysed documents into pair parts of at most `pairsPerShard` pairs, sampling under `limits`. */
export async function planPairs(scope: StageScope): Promise<AnalysisSummary> {
  const { ctx, keys, config } = scope;
  const shards = await collect(rows<Shard>(ctx.artifacts, keys.shards));
  const summary: Omit<AnalysisSummary, 'plan'> = {
    filter: noCounts(),
    identify: noCounts(),
    lost: 0,
    analysed: 0,
    offered: 0,
    pairs: 0,
    byDomain: {},
    tokens: 0,
  };
  const parts: string[] = [];
  const lost: Shard[] = [];
  const read = async (shard: Shard) => ({
    shard,
    done: await jsonIfAny<PartDone>(ctx.artifacts, keys.analysedDone(shard.part)),
  });
  for await (const { shard, done } of mapOrdered(shards, 16, read)) {
    if (done?.configHash !== config.configHash) {
      lost.push(shard);
      continue;
    }
    addCounts(summary.filter, done.stages.filter ?? noCounts());
    addCounts(summary.identify, done.stages.identify ?? noCounts());
    parts.push(shard.part);
  }
  summary.lost = lost.reduce((sum, { count }) => sum + count, 0);
  await writeJsonl(ctx.artifacts, keys.analysisLost, lostDocuments(scope, lost));

  const sample = await sampleOf(scope, parts);
  const plan = await writeJsonl(ctx.artifacts, keys.pairsPlan, pairShards(scope, parts, sample, summary));
  const whole: AnalysisSummary = { ...summary, plan };
  await writeJson(ctx.artifacts, keys.analysisSummary, whole);
  return whole;
}

/** A document whose part never finished is no less accounted for: one reject each. */
async function* lostDocuments(scope: StageScope, shards: Shard[]): AsyncGenerator<Reject> {
  for (const shard of shards) {
    for await (const { document } of documentsOf(scope, shard)) {
      const evidence = {
        error: 'SHARD_LOST',
        message: 'The child execution of its part failed; resume the job.',
      };
      yield rejectOf(scope.config.jobId, 'filter', {
        ...whereIs(document),
        code: 'PROVIDER_ERROR',
        evidence,
      });
    }
  }
}

/** The pair ids a part offers, in order. */
async function* offeredPairs(scope: StageScope, parts: string[]) {
  for (const part of parts) {
    let row = 0;
    for await (const analysed of rows<Analysed>(scope.ctx.artifacts, scope.keys.analysed(part))) {
      const ids = analysed.personas.map((_, index) => pairIdOf(analysed.docId, index));
      yield { part, row: row++, analysed, ids };
    }
  }
}

/** Thresholds under the job's limits: domains first, the total over what they leave. */
async function sampleOf(scope: StageScope, parts: string[]): Promise<PairShard['sample']> {
  const { limits, seed } = scope.config.input;
  if (limits.maxPairs === undefined && limits.maxPairsPerDomain === undefined) return undefined;
  const byDomain: Record<string, number> = {};
  if (limits.maxPairsPerDomain !== undefined) {
    const ranks = new Map<string, Ranks>();
    for await (const { analysed, ids } of offeredPairs(scope, parts)) {
      const list = ranks.get(analysed.domain) ?? new Ranks();
      ranks.set(analysed.domain, list);
      for (const id of ids) list.push(rankOf(seed, id));
    }
    for (const [domain, list] of ranks) {
      const threshold = list.threshold(limits.maxPairsPerDomain);
      if (threshold !== Infinity) byDomain[domain] = threshold;
    }
  }
  let all = Infinity;
  if (limits.maxPairs !== undefined) {
    const ranks = new Ranks();
    for await (const { analysed, ids } of offeredPairs(scope, parts)) {
      for (const id of ids) {
        const rank = rankOf(seed, id);
        if (rank <= (byDomain[analysed.domain] ?? Infinity)) ranks.push(rank);
      }
    }
    all = ranks.threshold(limits.maxPairs);
  }
  return { ...(all === Infinity ? {} : { all }), byDomain };
}

async function* pairShards(
  scope: StageScope,
  parts: string[],
  sample: PairShard['sample'],
  summary: Omit<AnalysisSummary, 'plan'>,
): AsyncGenerator<PairShard> {
  const { pairsPerShard } = scope.config.input.batch;
  const { seed } = scope.config.input;
  let number = 0;
  let slices: AnalysedSlice[] = [];
  let count = 0;
  const finished = (): PairShard[] => {
    if (count === 0) return [];
    const shard = { part: `p${pad(number++)}`, slices, count, ...(sample ? { sample } : {}) };
    slices = [];
    count = 0;
    return [shard];
  };
  for await (const { part, row, analysed, ids } of offeredPairs(scope, parts)) {
    summary.analysed++;
    summary.offered += ids.length;
    const sampling = sample ? { sample } : {};
    const kept = ids.filter((id) => isSampled(sampling, seed, analysed.domain, id)).length;
    if (kept === 0) continue;
    const last = slices.at(-1);
    if (count + kept > pairsPerShard || (last?.part !== part && slices.length >= PARTS_A_SHARD))
      yield* finished();
    const open = slices.at(-1);
    if (open?.part === part) open.to = row + 1;
    else slices.push({ part, from: row, to: row + 1 });
    count += kept;
    summary.pairs += kept;
    summary.byDomain[analysed.domain] = (summary.byDomain[analysed.domain] ?? 0) + kept;
    summary.tokens += analysed.tokens * kept;
  }
  yield* finished();
}
