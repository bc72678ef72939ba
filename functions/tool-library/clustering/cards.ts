import { readFloats } from '#shared/library/load.ts';
import { wordsOfName } from '#shared/library/text.ts';
import type { Tool } from '#shared/library/types.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import { SENTENCE_ENCODER } from '#shared/text/encoder.ts';
import { matrixOf, rowsOf } from '#shared/text/vectors.ts';
import { allRows } from '../io.ts';
import { keys, partName } from '../keys.ts';

/** What clustering knows of a tool: what it is for, never its code. */
export interface ToolCard {
  id: string;
  name: string;
  description: string;
  tags: string[];
}

/** A pointer to a part of the cards: an item of the Distributed Maps that embed and assign. */
export interface CardPart {
  part: number;
  count: number;
}

/** Tools a part: what EmbedTools embeds at a time. */
export const CARDS_PART = 500;

/** Longer descriptions say no more about where a tool belongs, and cost as much more time. */
const EMBEDDED_CHARS = 120;

export const cardOf = ({ id, name, description, tags }: Tool): ToolCard => ({ id, name, description, tags });

/** "name words. description. tags" (section 6, Clustering). */
export const textOfCard = ({ name, description, tags }: ToolCard): string =>
  `${wordsOfName(name)}. ${description.replace(/\.$/, '')}. ${tags.join(', ')}`
    .replace(/\s+/g, ' ')
    .slice(0, EMBEDDED_CHARS)
    .toWellFormed();

const cardsKey = (jobId: string, part: number): string =>
  keys.vectors(jobId, `cards-${partName(part)}.jsonl`);
const vectorsKey = (jobId: string, part: number): string => keys.vectors(jobId, `${partName(part)}.f32`);

/**
 * Writes the cards of the collected tools, in their order, and the index of parts that EmbedTools and AssignTools map
 * over: what CollectTools leaves for clustering.
 */
export async function writeCards(
  artifacts: Artifacts,
  jobId: string,
  tools: Iterable<Tool> | AsyncIterable<Tool>,
): Promise<{ index: ArtifactRef; parts: number; count: number }> {
  const parts: CardPart[] = [];
  let cards: ToolCard[] = [];
  let count = 0;
  const flush = async (): Promise<void> => {
    if (cards.length === 0) return;
    const part = parts.length;
    await writeJsonl(artifacts, cardsKey(jobId, part), cards);
    parts.push({ part, count: cards.length });
    count += cards.length;
    cards = [];
  };
  for await (const tool of tools) {
    cards.push(cardOf(tool));
    if (cards.length === CARDS_PART) await flush();
  }
  await flush();
  const index = await writeJsonl(artifacts, keys.vectors(jobId, 'index.jsonl'), parts);
  return { index, parts: parts.length, count };
}

export const cardParts = (artifacts: Artifacts, jobId: string): Promise<CardPart[]> =>
  allRows<CardPart>(artifacts, keys.vectors(jobId, 'index.jsonl'));

export const readCards = (artifacts: Artifacts, jobId: string, part: number): Promise<ToolCard[]> =>
  allRows<ToolCard>(artifacts, cardsKey(jobId, part));

export const writeVectors = (
  artifacts: Artifacts,
  jobId: string,
  part: number,
  vectors: readonly Float32Array[],
): Promise<void> => writeMatrix(artifacts, vectorsKey(jobId, part), vectors);

/** Vectors of a part's cards, in their order. */
export const readVectors = (artifacts: Artifacts, jobId: string, part: number): Promise<Float32Array[]> =>
  readMatrix(artifacts, vectorsKey(jobId, part));

/** Rows of little-endian 32-bit floats, nothing else: what every adapter can read by range. */
export async function writeMatrix(
  artifacts: Artifacts,
  key: string,
  vectors: readonly Float32Array[],
): Promise<void> {
  const matrix = matrixOf(vectors, SENTENCE_ENCODER.dims);
  await artifacts.put(key, new Uint8Array(matrix.buffer), { contentType: 'application/octet-stream' });
}

export const readMatrix = async (artifacts: Artifacts, key: string): Promise<Float32Array[]> =>
  rowsOf(await readFloats(artifacts, key), SENTENCE_ENCODER.dims);
