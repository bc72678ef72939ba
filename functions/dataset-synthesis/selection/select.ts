import { createHash } from 'node:crypto';
import { readJson, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import { invalidInput } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import type { SynthesisConfig } from '../config.ts';
import { mapOrdered, rows } from '../io.ts';
import type { Keys } from '../keys.ts';
import type { Reject, RejectCode } from '../records.ts';
import { rejectOf, type RejectDraft } from '../rejects.ts';
import type { DocumentEntry, SegmentDone } from '../sources/index-segment.ts';
import type { Segment } from '../sources/segments.ts';
import { DocumentIds, MAX_DOCUMENTS, MAX_NEAR_DOCUMENTS, NearDocuments } from './documents.ts';
import { rankOf, Ranks } from './sampling.ts';

/** Which documents are worked on: the first of equal ones, sampled where the job says so. */

/** One document part with the lines (from 1) that were selected; all where `lines` is absent. */
export interface Shard {
  part: string;
  count: number;
  lines?: number[];
}

/** What was read and what came of it; kept in `index/selection.json`. */
export interface Selection {
  segments: number;
  records: number;
  documents: number;
  duplicates: number;
  nearDuplicates: number;
  selected: number;
  selectedTokens: number;
  /** Source ids carried by more than one document with different content. */
  duplicateSourceIds: number;
  unreadable: number;
  rejectsByCode: Partial<Record<RejectCode, number>>;
  shards: ArtifactRef;
}

/** Records that could not be read; over `failedPercent` of all, the sources are not what the job thinks they are. */
const UNREADABLE: readonly RejectCode[] = ['NOT_UTF8', 'MALFORMED_LINE', 'MISSING_TEXT'];
const UNREADABLE_FILES: readonly RejectCode[] = ['EMPTY_SOURCE', 'UNREADABLE_SOURCE'];

/** Whether a code means that something the job named could not be read. */
export const isUnreadable = (code: RejectCode): boolean =>
  UNREADABLE.includes(code) || UNREADABLE_FILES.includes(code);

/** @throws InvalidInput where no source holds a record, or too many documents for one task. */
export async function selectDocuments(
  config: SynthesisConfig,
  runtime: Runtime,
  keys: Keys,
): Promise<Selection> {
  const { artifacts } = runtime;
  const { input } = config;
  const summaries = await segmentSummaries(runtime, keys);
  const rejectsByCode: Selection['rejectsByCode'] = {};
  const tally = (code: RejectCode, count = 1): void => {
    rejectsByCode[code] = (rejectsByCode[code] ?? 0) + count;
  };
  for await (const reject of rows<Reject>(artifacts, keys.planRejects)) tally(reject.code);
  let documents = 0;
  let records = 0;
  for (const summary of summaries) {
    documents += summary.documents;
    records += summary.records;
    for (const [code, count] of Object.entries(summary.rejectsByCode)) tally(code as RejectCode, count);
  }
  if (records === 0) {
    throw invalidInput(
      `The sources hold no document. Rejected: ${JSON.stringify(rejectsByCode)}. Name JSONL, Parquet or text files with content in \`sources\`.`,
    );
  }
  const near = input.dedup.documents === 'near';
  const limit = near ? MAX_NEAR_DOCUMENTS : MAX_DOCUMENTS;
  if (documents > limit) {
    throw invalidInput(`The sources hold ${documents} documents; one job takes ${limit}. Split the sources.`);
  }

  const chooser = new Chooser(config, near);
  const segments = summaries.map(({ segment }) => segment);
  async function* duplicates(): AsyncGenerator<Reject> {
    for (const segment of segments) {
      for await (const entry of rows<DocumentEntry>(artifacts, keys.ids(segment))) {
        const draft = chooser.see(entry);
        if (!draft) continue;
        tally(draft.code);
        yield rejectOf(config.jobId, 'select', draft);
      }
    }
  }
  await writeJsonl(artifacts, keys.selectRejects, duplicates());
  const limitTo = input.mode === 'preview' ? input.previewDocuments : (input.limits.maxDocuments ?? Infinity);
  const threshold = chooser.ranks.threshold(limitTo);

  let selected = 0;
  let selectedTokens = 0;
  async function* shards(): AsyncGenerator<Shard> {
    let ordinal = 0;
    let shard: (Shard & { lines: number[]; total: number }) | undefined;
    const finished = (): Shard[] => {
      if (!shard || shard.count === 0) return [];
      const { part, count, lines, total } = shard;
      return [count === total ? { part, count } : { part, count, lines }];
    };
    for (const segment of segments) {
      for await (const entry of rows<DocumentEntry>(artifacts, keys.ids(segment))) {
        if (shard?.part !== entry.part) {
          yield* finished();
          shard = { part: entry.part, count: 0, lines: [], total: 0 };
        }
        shard.total++;
        const rank = chooser.rankAt(ordinal++);
        if (rank === undefined || rank > threshold) continue;
        shard.lines.push(entry.line);
        shard.count++;
        selected++;
        selectedTokens += entry.tokens;
      }
    }
    yield* finished();
  }
  const shardsRef = await writeJsonl(artifacts, keys.shards, shards());
  const unreadable = sumOf(rejectsByCode, isUnreadable);
  const selection: Selection = {
    segments: segments.length,
    records,
    documents,
    duplicates: rejectsByCode.DUPLICATE_DOCUMENT ?? 0,
    nearDuplicates: rejectsByCode.NEAR_DUPLICATE_DOCUMENT ?? 0,
    selected,
    selectedTokens,
    duplicateSourceIds: chooser.duplicateSourceIds,
    unreadable,
    rejectsByCode,
    shards: shardsRef,
  };
  await writeJson(artifacts, keys.selection, selection);
  return selection;
}

const sumOf = (counts: Selection['rejectsByCode'], which: (code: RejectCode) => boolean): number =>
  Object.entries(counts).reduce((sum, [code, count]) => sum + (which(code as RejectCode) ? count : 0), 0);

/** Whether too many records could not be read; says so in a sentence. */
export function unreadableFault(selection: Selection, failedPercent: number): string | undefined {
  const bad = sumOf(selection.rejectsByCode, (code) => UNREADABLE.includes(code));
  if (bad * 100 <= failedPercent * selection.records) return undefined;
  const codes = UNREADABLE.map((code) => `${selection.rejectsByCode[code] ?? 0} ${code}`).join(', ');
  return `${bad} of ${selection.records} records could not be read (${codes}), more than ${failedPercent} %. See rejects.jsonl for files and lines, mend them, or raise tolerance.failedPercent.`;
}

/** What every segment's task left, in segment order. @throws NotFound where one left nothing. */
export async function segmentSummaries(
  runtime: Pick<Runtime, 'artifacts'>,
  keys: Keys,
): Promise<SegmentDone[]> {
  const all: SegmentDone[] = [];
  const read = ({ segment }: Segment): Promise<unknown> =>
    readJson(runtime.artifacts, keys.segmentDone(segment));
  for await (const done of mapOrdered(rows<Segment>(runtime.artifacts, keys.segments), 16, read)) {
    all.push(done as SegmentDone);
  }
  return all;
}

/** Decides document by document whether it is a copy, and remembers each one's rank for sampling. */
class Chooser {
  readonly ranks = new Ranks();
  duplicateSourceIds = 0;
  readonly #seed: number;
  readonly #exact: boolean;
  readonly #ids = new DocumentIds();
  readonly #near: NearDocuments | undefined;
  /** For each document in order: its place in `ranks` plus one, 0 where it is a copy. */
  #kept = new Uint32Array(1024);
  #seen = 0;
  readonly #sourceIds = new Map<string, string>();

  constructor({ input }: SynthesisConfig, near: boolean) {
    this.#seed = input.seed;
    this.#exact = input.dedup.documents !== 'off';
    this.#near = near ? new NearDocuments(input.dedup.threshold) : undefined;
  }

  see(entry: DocumentEntry): RejectDraft | undefined {
    this.#noteSourceId(entry);
    const draft = this.#copyOf(entry);
    if (this.#seen === this.#kept.length) {
      const grown = new Uint32Array(this.#kept.length * 2);
      grown.set(this.#kept);
      this.#kept = grown;
    }
    if (!draft) this.ranks.push(rankOf(this.#seed, entry.docId));
    this.#kept[this.#seen++] = draft ? 0 : this.ranks.length;
    return draft;
  }

  /** The rank of the n-th document seen, undefined where it is a copy. */
  rankAt(n: number): number | undefined {
    const place = this.#kept[n]!;
    return place === 0 ? undefined : this.ranks.at(place - 1);
  }

  #copyOf(entry: DocumentEntry): RejectDraft | undefined {
    if (!this.#exact) return undefined;
    const { docId, at, licence } = entry;
    const draft = { source: at, licence, docId };
    if (!this.#ids.add(docId)) return { ...draft, code: 'DUPLICATE_DOCUMENT', evidence: { kept: docId } };
    if (!this.#near || entry.signature === undefined) return undefined;
    const bytes = Buffer.from(entry.signature, 'base64');
    const signature = new Uint32Array(
      bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
    );
    const match = this.#near.add(signature, this.#ids.size - 1);
    if (!match) return undefined;
    const evidence = { kept: this.#ids.at(match.kept), similarity: match.similarity };
    return { ...draft, code: 'NEAR_DUPLICATE_DOCUMENT', evidence };
  }

  /** Identity is content: equal source ids only earn a warning. Remembers the first million. */
  #noteSourceId({ sourceId, docId, passageIndex }: DocumentEntry): void {
    if (sourceId === undefined || (passageIndex ?? 0) > 0) return;
    const name = createHash('sha256').update(sourceId).digest('base64').slice(0, 12);
    const known = this.#sourceIds.get(name);
    if (known === undefined) {
      if (this.#sourceIds.size < 1_000_000) this.#sourceIds.set(name, docId);
    } else if (known !== docId) this.duplicateSourceIds++;
  }
}
