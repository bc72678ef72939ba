import { jsonIfAny, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import { invalidInput } from '#shared/task/errors.ts';
import { collect, mapOrdered, rows } from '../io.ts';
import type { QaRecord, Reject } from '../records.ts';
import { rejectOf } from '../rejects.ts';
import { whereIs } from '../stages/analyse.ts';
import { addCounts, noCounts, type StageCounts } from '../stages/outcome.ts';
import type { PartDone, StageScope } from '../stages/store.ts';
import { pairsOf, type AcceptedPair, type PairShard } from '../stages/synthesise.ts';
import { findDuplicates, type PairIdentity } from './duplicates.ts';

/** Gate 10 over all accepted pairs, and the cut of what stays into output parts (specification section 7). */

export const MAX_PAIRS = 10_000_000;

/** Distinct attributions that the dataset card lists; more are counted. */
const MAX_ATTRIBUTIONS = 1000;

/** A record that stays, and where its document is. */
export interface CuratedPair {
  record: QaRecord;
  part: string;
  line: number;
}

/** One line of `export/parts.jsonl`. */
export interface ExportPart {
  n: number;
  count: number;
  curated: ArtifactRef;
}

/** What curation came to; kept in `curated/summary.json`. */
export interface CurationSummary {
  generate: StageCounts;
  check: StageCounts;
  /** Pairs whose child execution failed for reasons of the platform. */
  lost: number;
  /** Pairs that passed the judge. */
  judged: number;
  records: number;
  duplicates: number;
  nearDuplicates: number;
  conflicts: number;
  byDomain: Record<string, number>;
  byLicence: Record<string, number>;
  byAnswerType: Record<string, number>;
  byLanguage: Record<string, number>;
  byFlag: Record<string, number>;
  byOrigin: Record<string, number>;
  attributions: { licence: string; attribution: string; records: number }[];
  moreAttributions: number;
  parts: ArtifactRef;
}

/** @throws InvalidInput where there are more pairs than one task holds. */
export async function curate(scope: StageScope): Promise<CurationSummary> {
  const { ctx, keys, config } = scope;
  const shards = await collect(rows<PairShard>(ctx.artifacts, keys.pairsPlan));
  const generate = noCounts();
  const check = noCounts();
  const finished: PairShard[] = [];
  const lost: PairShard[] = [];
  const read = async (shard: PairShard) => ({
    shard,
    done: await jsonIfAny<PartDone>(ctx.artifacts, keys.pairsDone(shard.part)),
  });
  for await (const { shard, done } of mapOrdered(shards, 16, read)) {
    if (done?.configHash !== config.configHash) {
      lost.push(shard);
      continue;
    }
    addCounts(generate, done.stages.generate ?? noCounts());
    addCounts(check, done.stages.check ?? noCounts());
    finished.push(shard);
  }

  const pairs: PairIdentity[] = [];
  for await (const { record } of acceptedPairs(scope, finished)) {
    if (pairs.length >= MAX_PAIRS) {
      throw invalidInput(
        `More than ${MAX_PAIRS} pairs passed; one job curates that many. Set limits.maxPairs.`,
      );
    }
    const { qaId, question, answerKey } = record;
    pairs.push({ qaId, question, answerKey });
  }
  const gone = findDuplicates(pairs, config.input.dedup);

  async function* refused(): AsyncGenerator<Reject> {
    let index = 0;
    if (gone.size > 0) {
      for await (const { record, pairId, source } of acceptedPairs(scope, finished)) {
        const verdict = gone.get(index++);
        if (!verdict) continue;
        const { docId, licence, question, answer } = record;
        yield rejectOf(config.jobId, 'curate', {
          ...verdict,
          source,
          licence,
          docId,
          pairId,
          question,
          answer,
        });
      }
    }
    yield* lostPairs(scope, lost);
  }
  await writeJsonl(ctx.artifacts, keys.curateRejects, refused());

  const tally = new Tally();
  async function* kept(): AsyncGenerator<CuratedPair> {
    let index = 0;
    for await (const { record, part, line } of acceptedPairs(scope, finished)) {
      if (gone.has(index++)) continue;
      tally.add(record);
      yield { record, part, line };
    }
  }
  const parts = await writeJsonl(ctx.artifacts, keys.exportParts, exportParts(scope, kept()));
  const count = (code: string): number =>
    [...gone.values()].filter((verdict) => verdict.code === code).length;
  const summary: CurationSummary = {
    generate,
    check,
    lost: lost.reduce((sum, shard) => sum + shard.count, 0),
    judged: pairs.length,
    records: pairs.length - gone.size,
    duplicates: count('DUPLICATE_PAIR'),
    nearDuplicates: count('NEAR_DUPLICATE_PAIR'),
    conflicts: count('CONFLICTING_ANSWER'),
    ...tally.totals(),
    parts,
  };
  await writeJson(ctx.artifacts, keys.curateSummary, summary);
  return summary;
}

/** All pairs that passed the judge, in document order. */
async function* acceptedPairs({ ctx, keys }: StageScope, shards: PairShard[]): AsyncGenerator<AcceptedPair> {
  for (const shard of shards) yield* rows<AcceptedPair>(ctx.artifacts, keys.pairs(shard.part));
}

async function* lostPairs(scope: StageScope, shards: PairShard[]): AsyncGenerator<Reject> {
  for (const shard of shards) {
    for await (const { pairId, document } of pairsOf(scope, shard)) {
      const evidence = {
        error: 'SHARD_LOST',
        message: 'The child execution of its part failed; resume the job.',
      };
      yield rejectOf(scope.config.jobId, 'generate', {
        ...whereIs(document),
        pairId,
        code: 'PROVIDER_ERROR',
        evidence,
      });
    }
  }
}

/** Writes `curated/<n>.jsonl` of `recordsPerPart` records each, yielding a pointer to each. */
async function* exportParts(
  scope: StageScope,
  kept: AsyncGenerator<CuratedPair>,
): AsyncGenerator<ExportPart> {
  const { ctx, keys, config } = scope;
  const size = config.input.output.recordsPerPart;
  let next = await kept.next();
  for (let n = 0; !next.done; n++) {
    async function* part(): AsyncGenerator<CuratedPair> {
      for (let count = 0; count < size && !next.done; count++) {
        yield next.value;
        next = await kept.next();
      }
    }
    const curated = await writeJsonl(ctx.artifacts, keys.curated(n), part());
    yield { n, count: curated.count ?? 0, curated };
  }
}

/** Counts of records by what they are. */
class Tally {
  readonly #counts = {
    byDomain: new Map<string, number>(),
    byLicence: new Map<string, number>(),
    byAnswerType: new Map<string, number>(),
    byLanguage: new Map<string, number>(),
    byFlag: new Map<string, number>(),
    byOrigin: new Map<string, number>(),
  };
  readonly #attributions = new Map<string, { licence: string; attribution: string; records: number }>();
  #more = 0;

  add(record: QaRecord): void {
    const counts = this.#counts;
    const raise = (name: keyof typeof counts, value: string): void => {
      const map = counts[name];
      map.set(value, (map.get(value) ?? 0) + 1);
    };
    raise('byDomain', record.domain);
    raise('byLicence', record.licence);
    raise('byAnswerType', record.answerType);
    raise('byLanguage', record.lang ?? 'und');
    raise('byOrigin', record.origin);
    for (const flag of record.flags) raise('byFlag', flag);
    if (record.attribution === undefined) return;
    const { licence, attribution } = record;
    const name = `${licence}\n${attribution}`;
    const known = this.#attributions.get(name);
    if (known) known.records++;
    else if (this.#attributions.size < MAX_ATTRIBUTIONS)
      this.#attributions.set(name, { licence, attribution, records: 1 });
    else this.#more++;
  }

  totals() {
    const sorted = (map: Map<string, number>): Record<string, number> =>
      Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
    const { byDomain, byLicence, byAnswerType, byLanguage, byFlag, byOrigin } = this.#counts;
    return {
      byDomain: sorted(byDomain),
      byLicence: sorted(byLicence),
      byAnswerType: sorted(byAnswerType),
      byLanguage: sorted(byLanguage),
      byFlag: sorted(byFlag),
      byOrigin: sorted(byOrigin),
      attributions: [...this.#attributions.values()],
      moreAttributions: this.#more,
    };
  }
}
