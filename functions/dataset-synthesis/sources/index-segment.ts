import { readJson, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import { isError } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { comparable } from '#shared/text/normalise.ts';
import { wordGramHashes } from '#shared/text/hashes.ts';
import { minhash } from '#shared/text/minhash.ts';
import { Channel } from '#shared/storage/channel.ts';
import type { BenchmarkIndex } from '../curation/benchmark-index.ts';
import type { SynthesisConfig } from '../config.ts';
import { rows } from '../io.ts';
import { pad, type Keys } from '../keys.ts';
import type { Document, Reject, RejectCode } from '../records.ts';
import { rejectOf, type RejectDraft } from '../rejects.ts';
import { admit } from './documents.ts';
import { readGzip } from './gzip.ts';
import { locate } from './locations.ts';
import { readRows } from './parquet.ts';
import { parseTextFile, readLineRange, type SourceItem } from './readers.ts';
import type { Segment } from './segments.ts';

/** What selection needs to know of a document; one line a document in `index/<segment>.ids.jsonl`. */
export interface DocumentEntry {
  docId: string;
  part: string;
  line: number;
  tokens: number;
  licence: string;
  sourceId?: string;
  passageIndex?: number;
  at: Reject['source'];
  /** MinHash signature of the text's word 5-grams, base64, where near duplicates are sought. */
  signature?: string;
}

export interface SegmentDone {
  configHash: string;
  segment: string;
  /** Lines, rows or files read; blank lines are none. */
  records: number;
  /** Physical lines: what the next range of the same file counts on from. */
  lines: number;
  documents: number;
  tokens: number;
  parts: number;
  rejectsByCode: Partial<Record<RejectCode, number>>;
}

/**
 * Reads one segment: documents in parts of `documentsPerShard`, their entries, and input rejects. Holds one part.
 * Repeating it writes the same objects.
 */
export async function indexSegment(
  segment: Segment,
  config: SynthesisConfig,
  runtime: Runtime,
  keys: Keys,
  benchmarks: BenchmarkIndex | undefined,
): Promise<SegmentDone> {
  const { input } = config;
  const source = input.sources[segment.source]!;
  const rejectsByCode: SegmentDone['rejectsByCode'] = {};
  const done: SegmentDone = {
    configHash: config.configHash,
    segment: segment.segment,
    records: 0,
    lines: 0,
    documents: 0,
    tokens: 0,
    parts: 0,
    rejectsByCode,
  };
  const rejects = new Channel<Reject>();
  const refuse = (draft: RejectDraft): Promise<void> => {
    rejectsByCode[draft.code] = (rejectsByCode[draft.code] ?? 0) + 1;
    return rejects.push(rejectOf(config.jobId, 'index', draft));
  };

  async function* entries(): AsyncGenerator<DocumentEntry> {
    let part: Document[] = [];
    const flush = async (): Promise<void> => {
      if (part.length === 0) return;
      await writeJsonl(runtime.artifacts, keys.documents(partName(segment, done.parts)), part);
      done.parts++;
      part = [];
    };
    for await (const item of itemsOf(segment, runtime, input.documents.maxBytes)) {
      done.lines = Math.max(done.lines, item.place.line);
      if ('blank' in item) continue;
      done.records++;
      if ('fault' in item) {
        const { file, line, byteStart } = item.place;
        await refuse({ code: item.fault, source: { uri: file, line, byteStart }, evidence: item.evidence });
        continue;
      }
      const admitted = admit(item.record, item.place, source, input);
      for (const draft of admitted.rejects) await refuse(draft);
      for (const document of admitted.documents) {
        const { position } = document;
        const at = { uri: position.file, line: position.line, byteStart: position.byteStart };
        const hits = benchmarks?.hits(document.text) ?? [];
        if (hits.length > 0) {
          const { docId, licence } = document;
          const evidence = { benchmarks: [...new Set(hits.map(({ benchmark }) => benchmark))], hits };
          await refuse({ code: 'CONTAMINATED_DOCUMENT', source: at, licence, docId, evidence });
          continue;
        }
        part.push(document);
        done.documents++;
        done.tokens += document.tokens;
        yield entryOf(
          document,
          partName(segment, done.parts),
          part.length,
          at,
          input.dedup.documents === 'near',
        );
        if (part.length >= input.batch.documentsPerShard) await flush();
      }
    }
    await flush();
  }

  await bothWritten(
    writeJsonl(runtime.artifacts, keys.segmentRejects(segment.segment), rejects),
    writeJsonl(runtime.artifacts, keys.ids(segment.segment), entries()),
    rejects,
  );
  await writeJson(runtime.artifacts, keys.segmentDone(segment.segment), done);
  return done;
}

/** Two objects written at once, the first fed by what writes the second. */
async function bothWritten<T>(
  fed: Promise<T>,
  feeding: Promise<T>,
  channel: Channel<unknown>,
): Promise<void> {
  const settled = feeding.then(
    () => channel.close(),
    (error: unknown) => channel.close(error),
  );
  const [first, second] = await Promise.allSettled([fed, feeding, settled]);
  if (second.status === 'rejected') throw second.reason;
  if (first.status === 'rejected') throw first.reason;
}

const partName = (segment: Segment, part: number): string => `${segment.segment}-${pad(part)}`;

function entryOf(
  document: Document,
  part: string,
  line: number,
  at: Reject['source'],
  signed: boolean,
): DocumentEntry {
  const { docId, tokens, licence, sourceId, passage } = document;
  const signature = signed ? minhash(wordGramHashes(comparable(document.text).split(' '), 5)) : undefined;
  return {
    docId,
    part,
    line,
    tokens,
    licence,
    ...(sourceId === undefined ? {} : { sourceId }),
    ...(passage ? { passageIndex: passage.index } : {}),
    at,
    ...(signature ? { signature: Buffer.from(signature.buffer).toString('base64') } : {}),
  };
}

async function* itemsOf(segment: Segment, runtime: Runtime, maxBytes: number): AsyncGenerator<SourceItem> {
  if (segment.kind === 'files') {
    for await (const { file, bytes } of rows<{ file: string; bytes: number }>(
      runtime.artifacts,
      segment.file,
    )) {
      yield await readTextFile(file, bytes, runtime, maxBytes);
    }
    return;
  }
  const { artifacts, key } = locate(segment.file, runtime);
  const range = { start: segment.start ?? 0, end: segment.end ?? 0 };
  if (segment.kind === 'lines') yield* readLineRange(artifacts, key, segment.file, range, maxBytes);
  else if (segment.kind === 'gzip') yield* readGzip(artifacts, key, segment.file, maxBytes);
  else yield* readRows(artifacts, key, segment.file, range, maxBytes);
}

async function readTextFile(
  file: string,
  bytes: number,
  runtime: Runtime,
  maxBytes: number,
): Promise<SourceItem> {
  const place = { file, line: 1, byteStart: 0, byteEnd: bytes };
  if (bytes > maxBytes) return { place, fault: 'DOCUMENT_TOO_LARGE', evidence: { bytes, maxBytes } };
  const { artifacts, key } = locate(file, runtime);
  const sidecarKey = `${key.replace(/\.(txt|md)$/i, '')}.meta.json`;
  let sidecar: unknown = {};
  try {
    sidecar = await readJson(artifacts, sidecarKey, { maxBytes: 65_536 });
  } catch (error) {
    if (!isError(error, 'NotFound')) {
      if (!isError(error, 'InvalidInput')) throw error;
      sidecar = null;
    }
  }
  if (sidecar === null || typeof sidecar !== 'object' || Array.isArray(sidecar)) {
    // A licence that cannot be read must not be taken for none.
    return {
      place,
      fault: 'MALFORMED_LINE',
      evidence: { error: 'its .meta.json is no JSON object', sidecar: sidecarKey },
    };
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await artifacts.get(key)).body) chunks.push(chunk);
  return parseTextFile(Buffer.concat(chunks), file, sidecar as Record<string, unknown>);
}
