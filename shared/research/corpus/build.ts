import { rm } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { readJson, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import { conflict, invalidInput, isError } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import type { Encoder } from '#shared/text/encoder.ts';
import { documentConverters } from './converters.ts';
import { readDocuments, type CorpusLine } from './documents.ts';
import { download, hashOfFile, localFolder } from './local-files.ts';
import { AUTO_HYBRID_PASSAGES, corpusIdOf, corpusKeys, type CorpusInfo, type IndexKind } from './settings.ts';
import { IndexWriter, type BuildProgress } from './writer.ts';

export interface IndexRequest {
  /** JSONL of documents; its hash is part of the corpus id. */
  documents: ArtifactRef;
  index: IndexKind;
  /** Whose build this is: a job id. Two owners build side by side without meeting; the first to end publishes. */
  owner: string;
  /** Milliseconds since the epoch at which a step stops and keeps what it has. */
  deadline?: number;
  signal?: AbortSignal;
  /** Default: the process's sentence encoder. */
  encoder?: () => Promise<Encoder>;
  onProgress?: (progress: BuildProgress) => void;
}

export type IndexStep =
  | { done: true; corpusId: string; info: CorpusInfo }
  | { done: false; corpusId: string; progress: BuildProgress };

/** Documents of one transaction, and passages that the encoder gets at once. */
const BATCH = 64;
/** Time kept for storing what is built, in milliseconds. */
const MARGIN_MS = 30_000;

/** What is known of an index; undefined where none is finished. */
export async function corpusInfo(
  runtime: Pick<Runtime, 'artifacts'>,
  corpusId: string,
): Promise<CorpusInfo | undefined> {
  try {
    return (await readJson(runtime.artifacts, corpusKeys(corpusId).info)) as CorpusInfo;
  } catch (error) {
    if (isError(error, 'NotFound')) return undefined;
    throw error;
  }
}

/**
 * Builds an index, or a part of it: call it until `done`. What a step has built is stored under its owner's name, so
 * that the next one goes on anywhere; an index that is there is not built again.
 *
 * @throws InvalidInput where no line is a document, naming the first faults; NotFound; Conflict where the documents
 *   are not the content of the reference.
 * @example
 * let step: IndexStep;
 * do step = await indexCorpus(runtime, { documents, index: 'auto', owner: jobId, deadline }); while (!step.done);
 */
export async function indexCorpus(runtime: Runtime, request: IndexRequest): Promise<IndexStep> {
  const encoder = request.encoder ?? defaultEncoder;
  const corpusId = corpusIdOf(request.documents, request.index, request.encoder && (await encoder()).id);
  const ready = await corpusInfo(runtime, corpusId);
  if (ready) return { done: true, corpusId, info: ready };

  const key = corpusKeys(corpusId).build(request.owner);
  const path = join(localFolder(), `${corpusId}.${request.owner}.build.sqlite`);
  await fetchBuild(runtime.artifacts, key, path);
  const writer = new IndexWriter(path);
  let finished = false;
  try {
    finished = await advance(runtime, writer, request, encoder);
    if (finished) writer.finish();
  } catch (error) {
    writer.close();
    await rm(path, { force: true });
    throw error;
  }
  const rejects = finished ? [...writer.rejects()] : [];
  writer.close();
  const { progress } = writer;
  if (!finished) {
    await runtime.artifacts.put(key, createReadStream(path), { contentType: 'application/vnd.sqlite3' });
    return { done: false, corpusId, progress };
  }
  const used = progress.embedded > 0 ? await encoder() : undefined;
  const info = await publish(runtime.artifacts, corpusId, path, progress, rejects, used);
  await rm(path, { force: true });
  await runtime.artifacts.delete(key);
  return { done: true, corpusId, info };
}

const defaultEncoder = async (): Promise<Encoder> =>
  (await import('#shared/text/encoder.ts')).sentenceEncoder();

/** The file of the last step: here already, or stored; none at the start. */
async function fetchBuild(artifacts: Artifacts, key: string, path: string): Promise<void> {
  let sha256: string | undefined;
  try {
    sha256 = (await artifacts.head(key)).sha256;
  } catch (error) {
    if (!isError(error, 'NotFound')) throw error;
    await rm(path, { force: true });
    return;
  }
  if (sha256 !== undefined && (await hashOfFile(path)) === sha256) return;
  await rm(path, { force: true });
  if (sha256 !== undefined) await download(artifacts, { key, sha256 }, path);
}

/** Goes on until the end (true) or the deadline (false). */
async function advance(
  runtime: Runtime,
  writer: IndexWriter,
  request: IndexRequest,
  encoder: () => Promise<Encoder>,
): Promise<boolean> {
  const { progress } = writer;
  const late = (): boolean => runtime.clock.now() > (request.deadline ?? Infinity) - MARGIN_MS;
  const told = (): void => {
    request.signal?.throwIfAborted();
    request.onProgress?.({ ...progress });
  };
  if (progress.phase === 'read') {
    if (!(await readAll(runtime, writer, request, late, told))) return false;
    if (progress.documents === 0) throw emptyCorpus(request.documents.key, [...writer.rejects()]);
    const hybrid =
      request.index === 'hybrid' || (request.index === 'auto' && progress.passages <= AUTO_HYBRID_PASSAGES);
    writer.transact(() => {
      progress.phase = hybrid ? 'embed' : 'finish';
    });
  }
  if (progress.phase === 'embed') {
    const { embed } = await encoder();
    for (;;) {
      const pending = writer.pendingTexts(BATCH);
      if (pending.length === 0) break;
      // At least one batch a step, so that steps that begin late get somewhere.
      const vectors = await embed(
        pending.map(({ text }) => text),
        request.signal ? { signal: request.signal } : {},
      );
      writer.transact(() =>
        pending.forEach(({ passage }, index) => writer.addVector(passage, vectors[index]!)),
      );
      told();
      if (late() && progress.embedded < progress.passages) return false;
    }
    writer.transact(() => {
      progress.phase = 'finish';
    });
  }
  return true;
}

async function readAll(
  runtime: Runtime,
  writer: IndexWriter,
  { documents }: IndexRequest,
  late: () => boolean,
  told: () => void,
): Promise<boolean> {
  const artifacts = documents.bucket ? runtime.bucket(documents.bucket) : runtime.artifacts;
  const head = await artifacts.head(documents.key);
  if (head.bytes !== documents.bytes || (head.sha256 ?? documents.sha256) !== documents.sha256)
    throw conflict(`The documents "${documents.key}" are not the content the job was given.`);
  const { progress } = writer;
  const from = { byte: progress.byte, line: progress.line };
  let batch: CorpusLine[] = [];
  const flush = (): void => {
    writer.transact(() => {
      for (const item of batch) {
        if ('document' in item) writer.addDocument(item.document, item.line);
        else writer.addReject(item.reject);
        progress.byte = item.byteEnd;
        progress.line = item.line;
      }
    });
    batch = [];
    told();
  };
  for await (const item of readDocuments(artifacts, documents, from, documentConverters())) {
    batch.push(item);
    // Reading HTML takes its time.
    if (batch.length < BATCH && !late()) continue;
    flush();
    if (late()) return false;
  }
  flush();
  return true;
}

function emptyCorpus(key: string, rejects: readonly { line: number; detail: string }[]): Error {
  const first = rejects.slice(0, 3).map(({ line, detail }) => `line ${line}: ${detail}`);
  const why = first.length === 0 ? 'it has no lines' : first.join(' ');
  return invalidInput(
    `The corpus "${key}" has no document (${why}). Give JSONL with one {"title", "text"} a line.`,
  );
}

async function publish(
  artifacts: Artifacts,
  corpusId: string,
  path: string,
  progress: BuildProgress,
  rejects: readonly unknown[],
  encoder: Encoder | undefined,
): Promise<CorpusInfo> {
  const keys = corpusKeys(corpusId);
  const rejected =
    rejects.length > 0 ? await writeJsonl(artifacts, keys.rejects, rejects, { ifAbsent: true }) : undefined;
  // Files of one corpus differ with the steps they were built in, so each has its own name.
  const sha256 = (await hashOfFile(path))!;
  const key = keys.index(sha256);
  const { bytes } = await artifacts.put(key, createReadStream(path), {
    contentType: 'application/vnd.sqlite3',
  });
  const info: CorpusInfo = {
    corpusId,
    index: encoder ? 'hybrid' : 'lexical',
    ...(encoder ? { encoder: { id: encoder.id, dims: encoder.dims } } : {}),
    documents: progress.documents,
    passages: progress.passages,
    facts: progress.facts,
    rejects: progress.rejects,
    artifact: { key, sha256, bytes },
    ...(rejected ? { rejected } : {}),
  };
  try {
    await writeJson(artifacts, keys.info, info, { ifAbsent: true });
    return info;
  } catch (error) {
    if (!isError(error, 'Conflict')) throw error;
    // Another owner was first.
    const first = (await readJson(artifacts, keys.info)) as CorpusInfo;
    if (first.artifact.key !== key) await artifacts.delete(key);
    return first;
  }
}
