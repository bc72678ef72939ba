import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { parquetMetadataAsync, parquetReadObjects, type AsyncBuffer, type FileMetaData } from 'hyparquet';
import type { Artifacts } from '#shared/storage/ports.ts';
import type { Place } from './documents.ts';
import type { SourceItem } from './readers.ts';
import { MAX_ROW_GROUP_BYTES } from './segments.ts';

type Decompress = (input: Uint8Array, outputLength: number) => Uint8Array;

const limited =
  (inflate: (input: Uint8Array, options: { maxOutputLength: number }) => Uint8Array): Decompress =>
  (input, outputLength) => {
    if (outputLength > MAX_ROW_GROUP_BYTES) throw new Error(`a page of ${outputLength} bytes`);
    return inflate(input, { maxOutputLength: Math.max(1, outputLength) });
  };

/** Beside Snappy, which hyparquet has itself. */
const compressors = {
  ZSTD: limited(zstdDecompressSync),
  GZIP: limited(gunzipSync),
  BROTLI: limited(brotliDecompressSync),
};

/** A Parquet object as hyparquet reads it: by ranges. */
export function parquetFile(artifacts: Artifacts, key: string, byteLength: number): AsyncBuffer {
  return {
    byteLength,
    async slice(start, end) {
      const from = start < 0 ? Math.max(0, byteLength + start) : start;
      const to = end === undefined ? byteLength : end < 0 ? byteLength + end : Math.min(end, byteLength);
      if (to <= from) return new ArrayBuffer(0);
      if (to - from > MAX_ROW_GROUP_BYTES) throw new Error(`a column chunk of ${to - from} bytes`);
      const { body } = await artifacts.get(key, { range: { start: from, end: to } });
      const bytes = new Uint8Array(to - from);
      let at = 0;
      for await (const chunk of body) {
        bytes.set(chunk, at);
        at += chunk.length;
      }
      return bytes.buffer;
    },
  };
}

export interface RowGroup {
  rowStart: number;
  rowEnd: number;
  /** Uncompressed size. */
  bytes: number;
}

/** The row groups of a Parquet object. @throws Error (hyparquet's) where the footer is unreadable. */
export async function rowGroupsOf(file: AsyncBuffer): Promise<RowGroup[]> {
  const metadata = await parquetMetadataAsync(file, { geoparquet: false });
  return groupsIn(metadata);
}

function groupsIn(metadata: FileMetaData): RowGroup[] {
  let row = 0;
  return metadata.row_groups.map((group) => {
    const rowStart = row;
    row += Number(group.num_rows);
    return { rowStart, rowEnd: row, bytes: Number(group.total_byte_size) };
  });
}

/** The rows of one row group. A group that cannot be read is one `UNREADABLE_SOURCE` item. */
export async function* readRows(
  artifacts: Artifacts,
  key: string,
  file: string,
  rows: { start: number; end: number },
  maxBytes: number,
): AsyncGenerator<SourceItem> {
  const placeOf = (row: number): Place => ({ file, line: row + 1, byteStart: 0, byteEnd: 0 });
  let objects: Record<string, unknown>[];
  try {
    const head = await artifacts.head(key);
    objects = await parquetReadObjects({
      file: parquetFile(artifacts, key, head.bytes),
      compressors,
      rowStart: rows.start,
      rowEnd: rows.end,
      geoparquet: false,
    });
  } catch (error) {
    if (isOurs(error)) throw error;
    const evidence = { error: `parquet: ${(error as Error).message}`, rows: `${rows.start + 1}-${rows.end}` };
    yield { place: placeOf(rows.start), fault: 'UNREADABLE_SOURCE', evidence };
    return;
  }
  for (const [index, object] of objects.entries()) {
    const place = placeOf(rows.start + index);
    let largest = 0;
    for (const value of Object.values(object)) {
      if (typeof value === 'string' && value.length > largest) largest = value.length;
    }
    if (largest > maxBytes)
      yield { place, fault: 'DOCUMENT_TOO_LARGE', evidence: { bytes: largest, maxBytes } };
    else yield { place, record: object };
  }
}

/** Storage faults are errors of the task, not of the data. */
const isOurs = (error: unknown): boolean =>
  error instanceof Error && ['StorageUnavailable', 'NotFound', 'InvalidInput'].includes(error.name);
