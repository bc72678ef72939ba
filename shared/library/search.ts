import { conflict, invalidInput } from '#shared/task/errors.ts';
import { bm25Index, type Bm25Index } from '#shared/text/bm25.ts';
import type { Encoder } from '#shared/text/encoder.ts';
import { topScores } from '#shared/text/top.ts';
import { vectorIndex, type VectorIndex } from '#shared/text/vector-index.ts';
import { searchText, wordsOfName, wordsOfParameters } from './text.ts';
import type { LibraryTool } from './types.ts';

/** Finding tools by meaning and by words (section 10). */

/** What search keeps of a tool. */
export interface SearchRow {
  id: string;
  name: string;
  description: string;
  schema: LibraryTool['schema'];
  path: string[];
  tags: string[];
  clusterId: string;
  /** Where the whole tool is in tools.jsonl: first byte, and the one after its last. */
  at: [number, number];
}

export const MODES = ['hybrid', 'vector', 'keyword'] as const;
export type SearchMode = (typeof MODES)[number];

export interface SearchQuery {
  query: string;
  /** 1..20, default 5. */
  k?: number;
  /** Only tools that carry all of them. */
  tags?: readonly string[];
  /** Only tools of this cluster. */
  cluster?: string;
  mode?: SearchMode;
}

export interface SearchHit {
  toolId: string;
  name: string;
  description: string;
  schema: LibraryTool['schema'];
  path: string[];
  tags: string[];
  clusterId: string;
  score: number;
  /** Parts of the score before their weights; what a mode does not look at is 0. */
  parts: { cosine: number; bm25: number };
}

export const MAX_K = 20;
export const DEFAULT_K = 5;
/** Longer queries say no more, and take more time. */
export const MAX_QUERY_CHARS = 2000;

const WEIGHTS: Record<SearchMode, { cosine: number; bm25: number }> = {
  hybrid: { cosine: 0.7, bm25: 0.3 },
  vector: { cosine: 1, bm25: 0 },
  keyword: { cosine: 0, bm25: 1 },
};

/** A library ready to be searched, in memory. */
export interface SearchIndex {
  rows: readonly SearchRow[];
  vectors: VectorIndex;
  words: Bm25Index;
  encoder: { id: string; dims: number };
}

/** @param matrix the rows' vectors, one after the other. */
export function searchIndex(
  rows: readonly SearchRow[],
  matrix: Float32Array,
  encoder: { id: string; dims: number },
): SearchIndex {
  const ids = rows.map(({ id }) => id);
  const documents = rows.map((row) => ({
    id: row.id,
    fields: {
      text: searchText(row),
      name: wordsOfName(row.name),
      parameters: wordsOfParameters(row.schema),
    },
  }));
  return {
    rows,
    vectors: vectorIndex(ids, matrix, encoder.dims),
    // The text begins with the name, so the field beside it doubles it.
    words: bm25Index(documents, { k1: 1.2, b: 0.75 }),
    encoder: { id: encoder.id, dims: encoder.dims },
  };
}

/** @throws Conflict where a library's vectors are another encoder's: cosines between the two mean nothing. */
export function checkEncoder(
  library: { id: string; dims: number },
  encoder: { id: string; dims: number },
): void {
  if (library.id === encoder.id && library.dims === encoder.dims) return;
  throw conflict(
    `The library's vectors are of the encoder ${library.id} (${library.dims} numbers), this platform has ${encoder.id} (${encoder.dims}). Publish the library again, or search it with mode "keyword".`,
  );
}

/**
 * The k best tools: 0.7 of the cosine's share of the best cosine, 0.3 of the BM25 score's share of the best, ties by id.
 * Only tools that pass the filters are looked at. In mode `keyword` nothing is embedded.
 * @throws InvalidInput for k beyond 1..20 or an empty query; Conflict for another encoder.
 */
export async function searchTools(
  index: SearchIndex,
  search: SearchQuery,
  encoder: Encoder,
): Promise<SearchHit[]> {
  const { query, k = DEFAULT_K, tags = [], cluster, mode = 'hybrid' } = search;
  if (!Number.isInteger(k) || k < 1 || k > MAX_K) throw invalidInput(`k is ${k}; it must be 1 to ${MAX_K}.`);
  const text = query.slice(0, MAX_QUERY_CHARS);
  if (text.trim() === '') {
    throw invalidInput('The query is empty.', {
      problems: [{ pointer: '/query', code: 'empty', detail: 'Say what the tool should do.' }],
    });
  }
  const { rows } = index;
  const kept = filtered(rows, tags, cluster);
  const weights = WEIGHTS[mode];
  const cosines = weights.cosine > 0 ? await cosinesOf(index, text, encoder) : undefined;
  const words = weights.bm25 > 0 ? index.words.scores(text) : undefined;
  const scores = new Float64Array(rows.length);
  if (cosines) addShares(scores, cosines, weights.cosine, kept);
  if (words) addShares(scores, words, weights.bm25, kept);
  const found = (row: number): boolean => kept?.[row] !== 0 && (mode !== 'keyword' || words![row]! > 0);
  return topScores(scores, index.vectors.ids, k, found).map(({ index: at, score }) => {
    const { id, name, description, schema, path, tags: tagged, clusterId } = rows[at]!;
    return {
      toolId: id,
      name,
      description,
      schema,
      path,
      tags: tagged,
      clusterId,
      score,
      parts: { cosine: cosines?.[at] ?? 0, bm25: words?.[at] ?? 0 },
    };
  });
}

/** Which rows pass the filters; undefined where there are none. */
function filtered(
  rows: readonly SearchRow[],
  tags: readonly string[],
  cluster: string | undefined,
): Uint8Array | undefined {
  if (cluster === undefined && tags.length === 0) return undefined;
  return Uint8Array.from(rows, (row) =>
    (cluster === undefined || row.clusterId === cluster) && tags.every((tag) => row.tags.includes(tag))
      ? 1
      : 0,
  );
}

/** Adds each score's share of the best among the kept, weighed. */
function addShares(
  sums: Float64Array,
  scores: Float32Array | Float64Array,
  weight: number,
  kept: Uint8Array | undefined,
): void {
  let best = 0;
  for (let row = 0; row < sums.length; row++) {
    if (scores[row]! > best && kept?.[row] !== 0) best = scores[row]!;
  }
  if (best === 0) return;
  for (let row = 0; row < sums.length; row++) sums[row]! += weight * (scores[row]! / best);
}

async function cosinesOf(index: SearchIndex, text: string, encoder: Encoder): Promise<Float32Array> {
  checkEncoder(index.encoder, encoder);
  const [vector] = await encoder.embed([text]);
  return index.vectors.scores(vector!);
}
