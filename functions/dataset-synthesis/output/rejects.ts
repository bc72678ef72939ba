import { collect, mapOrdered, rowsIfAny } from '../io.ts';
import { pad, type Keys } from '../keys.ts';
import type { Reject, RejectCode } from '../records.ts';
import type { Shard } from '../selection/select.ts';
import type { SegmentDone } from '../sources/index-segment.ts';
import type { Segment } from '../sources/segments.ts';
import type { StageScope } from '../stages/store.ts';
import type { PairShard } from '../stages/synthesise.ts';

/** All rejects of a job, in the order of the stages and of the documents within them. Streams. */
export async function* allRejects(scope: StageScope): AsyncGenerator<Reject> {
  const { keys } = scope;
  const segments = await collect(rowsIfAny<Segment>(scope.ctx.artifacts, keys.segments));
  const bases = await lineBases(scope, segments);
  const fixed = (reject: Reject): Reject => {
    const base =
      bases.get(reject.source.uri)?.findLast(({ start }) => start <= reject.source.byteStart)?.base ?? 0;
    return base === 0 ? reject : { ...reject, source: { ...reject.source, line: reject.source.line + base } };
  };
  for await (const group of mapOrdered(rejectFiles(scope, segments, keys), 8, (key) =>
    collect(rowsIfAny<Reject>(scope.ctx.artifacts, key)),
  )) {
    for (const reject of group) yield fixed(reject);
  }
}

async function* rejectFiles(scope: StageScope, segments: Segment[], keys: Keys): AsyncGenerator<string> {
  const { artifacts } = scope.ctx;
  yield keys.planRejects;
  for (const { segment } of segments) yield keys.segmentRejects(segment);
  yield keys.selectRejects;
  for await (const { part } of rowsIfAny<Shard>(artifacts, keys.shards)) {
    yield keys.rejects('filter', part);
    yield keys.rejects('identify', part);
  }
  yield keys.analysisLost;
  for await (const { part } of rowsIfAny<PairShard>(artifacts, keys.pairsPlan)) {
    yield keys.rejects('generate', part);
    yield keys.rejects('check', part);
  }
  yield keys.curateRejects;
}

/**
 * Ranges of one large file count their lines from one: where each begins in the file, so that a reject names the line
 * an editor shows. Files read in one piece have no entry.
 */
async function lineBases(
  scope: StageScope,
  segments: Segment[],
): Promise<Map<string, { start: number; base: number }[]>> {
  const bases = new Map<string, { start: number; base: number }[]>();
  const later = new Set(
    segments.filter(({ kind, start }) => kind === 'lines' && (start ?? 0) > 0).map(({ file }) => file),
  );
  let lines = 0;
  let file = '';
  for (const segment of segments) {
    if (!later.has(segment.file)) continue;
    if (segment.file !== file) {
      file = segment.file;
      lines = 0;
    }
    const list = bases.get(file) ?? [];
    list.push({ start: segment.start ?? 0, base: lines });
    bases.set(file, list);
    for await (const done of rowsIfAny<SegmentDone>(
      scope.ctx.artifacts,
      scope.keys.segmentDone(segment.segment),
    )) {
      lines += done.lines;
    }
  }
  return bases;
}

export interface BenchmarkDrops {
  dropped: number;
  grams: Map<string, number>;
}

/** Counts rejects as they pass: by code, and what decontamination dropped by benchmark. */
export class RejectTally {
  readonly byCode: Partial<Record<RejectCode, number>> = {};
  total = 0;
  failures = 0;
  readonly byBenchmark = new Map<string, BenchmarkDrops>();

  async *count(rejects: AsyncIterable<Reject>): AsyncGenerator<Reject> {
    for await (const reject of rejects) {
      this.total++;
      this.byCode[reject.code] = (this.byCode[reject.code] ?? 0) + 1;
      if (reject.class === 'failure') this.failures++;
      if (reject.code === 'CONTAMINATED' || reject.code === 'CONTAMINATED_DOCUMENT')
        this.#contaminated(reject);
      yield reject;
    }
  }

  #contaminated({ evidence }: Reject): void {
    const { benchmarks, hits } = evidence as {
      benchmarks?: string[];
      hits?: { benchmark: string; gram: string }[];
    };
    for (const name of benchmarks ?? []) this.#dropsOf(name).dropped++;
    for (const { benchmark, gram } of hits ?? []) {
      const { grams } = this.#dropsOf(benchmark);
      if (grams.size < 10_000 || grams.has(gram)) grams.set(gram, (grams.get(gram) ?? 0) + 1);
    }
  }

  #dropsOf(name: string): BenchmarkDrops {
    const known = this.byBenchmark.get(name) ?? { dropped: 0, grams: new Map<string, number>() };
    this.byBenchmark.set(name, known);
    return known;
  }
}

/** `part-00003.jsonl` of output/data: which numbers a job's earlier attempt may have left behind. */
export const dataFileNumber = (key: string): number | undefined => {
  const digits = /\/output\/data\/part-(\d{5,})\.(?:jsonl|parquet)$/.exec(key)?.[1];
  return digits === undefined || digits !== pad(Number(digits)) ? undefined : Number(digits);
};
