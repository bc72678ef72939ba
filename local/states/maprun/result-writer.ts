import type { Artifacts, Json } from '#shared/storage/ports.ts';
import { MapRunFailure, objectUri } from './failure.ts';
import {
  recordsOf,
  type ChildResult,
  type OutputType,
  type ResultGroup,
  type Transformation,
} from './results.ts';

export interface WriterOptions {
  /** The writer's evaluated `Arguments`: `{ Bucket, Prefix? }`. */
  arguments: Json;
  transformation: Transformation;
  outputType: OutputType;
  mapRunArn: string;
  /** The run's UUID, the folder below the prefix. */
  runId: string;
  artifactsOf: (bucket: string) => Artifacts;
  /** The run's children of one kind, in item order; asked for once a kind, and read in a stream. */
  children: (group: ResultGroup) => Iterable<ChildResult> | AsyncIterable<ChildResult>;
  /** Bytes at which the next file begins. Default 5 GB. */
  maxFileBytes?: number;
}

interface ResultFile {
  Key: string;
  Size: number;
}

const GROUPS: readonly ResultGroup[] = ['SUCCEEDED', 'FAILED', 'PENDING'];
const MAX_FILE_BYTES = 5_000_000_000;
const BUFFER_CHARACTERS = 64 * 1024;

/**
 * Exports a map run's results (embedded-platform section 3): `SUCCEEDED_n`, `FAILED_n` and `PENDING_n` files, then
 * `manifest.json`, all below `<Prefix>/<run id>/`. Repeating it writes the same keys.
 * @returns the Map state's result
 * @throws MapRunFailure `States.ResultWriterFailed` when an object cannot be written
 */
export async function writeResults(options: WriterOptions): Promise<{
  MapRunArn: string;
  ResultWriterDetails: { Bucket: string; Key: string };
}> {
  const { bucket, folder } = destination(options);
  const manifestKey = `${folder}/manifest.json`;
  try {
    const artifacts = options.artifactsOf(bucket);
    const files: Record<ResultGroup, ResultFile[]> = { FAILED: [], PENDING: [], SUCCEEDED: [] };
    for (const group of GROUPS) files[group] = await writeGroup(artifacts, folder, group, options);
    const manifest = { DestinationBucket: bucket, MapRunArn: options.mapRunArn, ResultFiles: files };
    await artifacts.put(manifestKey, JSON.stringify(manifest), { contentType: 'application/json' });
  } catch (error) {
    const cause = `Unable to write ${objectUri(bucket, manifestKey)}: ${(error as Error).message}`;
    throw new MapRunFailure('States.ResultWriterFailed', cause, error);
  }
  return { MapRunArn: options.mapRunArn, ResultWriterDetails: { Bucket: bucket, Key: manifestKey } };
}

function destination({ arguments: evaluated, runId }: WriterOptions): { bucket: string; folder: string } {
  const members =
    typeof evaluated === 'object' && evaluated !== null && !Array.isArray(evaluated) ? evaluated : {};
  const { Bucket: bucket, Prefix: prefix = '' } = members;
  if (typeof bucket !== 'string' || bucket === '' || typeof prefix !== 'string') {
    const cause =
      "The arguments of the ResultWriter must be a string 'Bucket' and, if given, a string 'Prefix'";
    throw new MapRunFailure('States.ResultWriterFailed', cause);
  }
  const parent = prefix.replace(/\/+$/, '');
  return { bucket, folder: parent === '' ? runId : `${parent}/${runId}` };
}

async function writeGroup(
  artifacts: Artifacts,
  folder: string,
  group: ResultGroup,
  options: WriterOptions,
): Promise<ResultFile[]> {
  const jsonl = options.outputType === 'JSONL';
  const lines = new Lookahead(linesOf(options.children(group), options.transformation));
  const files: ResultFile[] = [];
  while ((await lines.peek()) !== undefined) {
    const key = `${folder}/${group}_${files.length}.${jsonl ? 'jsonl' : 'json'}`;
    const body = fileBody(lines, jsonl, options.maxFileBytes ?? MAX_FILE_BYTES);
    const { bytes } = await artifacts.put(key, body, {
      contentType: jsonl ? 'application/x-ndjson' : 'application/json',
    });
    files.push({ Key: key, Size: bytes });
  }
  return files;
}

/** The bytes of one file: at least one record, and as many as fit. */
async function* fileBody(
  lines: Lookahead<string>,
  jsonl: boolean,
  maxBytes: number,
): AsyncGenerator<Uint8Array> {
  let buffer = jsonl ? '' : '[';
  let bytes = 2;
  for (let count = 0; ; count++) {
    const line = await lines.peek();
    const size = line === undefined ? 0 : Buffer.byteLength(line, 'utf8') + 1;
    if (line === undefined || (count > 0 && bytes + size > maxBytes)) break;
    await lines.next();
    bytes += size;
    buffer += jsonl ? `${line}\n` : `${count > 0 ? ',' : ''}${line}`;
    if (buffer.length >= BUFFER_CHARACTERS) {
      yield Buffer.from(buffer, 'utf8');
      buffer = '';
    }
  }
  if (!jsonl) buffer += ']';
  if (buffer !== '') yield Buffer.from(buffer, 'utf8');
}

async function* linesOf(
  children: Iterable<ChildResult> | AsyncIterable<ChildResult>,
  transformation: Transformation,
): AsyncGenerator<string> {
  for await (const child of children) {
    for (const record of recordsOf(child, transformation)) yield JSON.stringify(record);
  }
}

/** An iterator whose next value can be looked at. */
class Lookahead<T> {
  private readonly source: AsyncIterator<T>;
  private held: T | undefined;

  constructor(source: AsyncIterable<T>) {
    this.source = source[Symbol.asyncIterator]();
  }

  async peek(): Promise<T | undefined> {
    if (this.held === undefined) {
      const { done, value } = await this.source.next();
      this.held = done ? undefined : value;
    }
    return this.held;
  }

  async next(): Promise<T | undefined> {
    const value = await this.peek();
    this.held = undefined;
    return value;
  }
}
