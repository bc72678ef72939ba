import { hashOf } from '#shared/determinism/hash.ts';
import { readJsonl, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import { defect, isError } from '#shared/task/errors.ts';
import type { Encoder } from '#shared/text/encoder.ts';
import { matrixOf } from '#shared/text/vectors.ts';
import { readFloats } from './load.ts';
import type { SearchRow } from './search.ts';
import { searchText } from './text.ts';
import type { LibraryTool } from './types.ts';

/** Makes the two files that a library is searched by, from its tools. */

/** Tools embedded between two checkpoints. */
const CHUNK = 500;

/** Longer texts cost more time than they say: purpose, parameters and topic stand in front. */
const EMBEDDED_CHARS = 256;

export const embeddedText = (row: Parameters<typeof searchText>[0]): string =>
  searchText(row).slice(0, EMBEDDED_CHARS);

/** The search rows of tools as `writeJsonl` wrote them, with the place of each in that file. */
export async function* searchRows(artifacts: Artifacts, tools: ArtifactRef): AsyncGenerator<SearchRow> {
  let at = 0;
  for await (const { value } of readJsonl(artifacts, tools)) {
    const { id, name, description, schema, path, tags, clusterId } = value as LibraryTool;
    const end = at + Buffer.byteLength(JSON.stringify(value));
    yield { id, name, description, schema, path, tags, clusterId, at: [at, end] };
    at = end + 1;
  }
  if (at !== tools.bytes) throw defect(`The object "${tools.key}" is not as writeJsonl writes it.`);
}

/**
 * Writes `search.jsonl` and `vectors.f32` below a prefix. What was embedded before a stop is not embedded again.
 * @throws what the encoder throws, once it failed twice: a library has every vector or is not published.
 */
export async function buildSearch(
  artifacts: Artifacts,
  tools: ArtifactRef,
  prefix: string,
  encoder: Encoder,
  options: { signal?: AbortSignal } = {},
): Promise<{ search: ArtifactRef; vectors: ArtifactRef }> {
  const rows: SearchRow[] = [];
  for await (const row of searchRows(artifacts, tools)) rows.push(row);
  const run = hashOf([tools.sha256, encoder.id]).slice(0, 16);
  const matrix = new Float32Array(rows.length * encoder.dims);
  for (let from = 0; from < rows.length; from += CHUNK) {
    const chunk = rows.slice(from, from + CHUNK);
    const key = `${prefix}/parts/${run}-${String(from / CHUNK).padStart(5, '0')}.f32`;
    let part = await floatsIfAny(artifacts, key);
    if (part?.length !== chunk.length * encoder.dims) {
      part = matrixOf(await encoder.embed(chunk.map(embeddedText), options), encoder.dims);
      await artifacts.put(key, new Uint8Array(part.buffer));
    }
    matrix.set(part, from * encoder.dims);
  }
  const search = await writeJsonl(artifacts, `${prefix}/search.jsonl`, rows);
  const key = `${prefix}/vectors.f32`;
  const { sha256, bytes } = await artifacts.put(key, new Uint8Array(matrix.buffer));
  return { search, vectors: { key, sha256, bytes, count: rows.length } };
}

async function floatsIfAny(artifacts: Artifacts, key: string): Promise<Float32Array | undefined> {
  try {
    return await readFloats(artifacts, key);
  } catch (error) {
    if (isError(error, 'NotFound')) return undefined;
    throw error;
  }
}
