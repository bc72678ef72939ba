import { SENTENCE_ENCODER } from '#shared/text/encoder.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import { shortHash } from '../ids.ts';
import { PASSAGE_OVERLAP, PASSAGE_WORDS } from './passages.ts';
import { INDEX_VERSION } from './schema.ts';

/** `auto` takes vectors for a corpus of at most this many passages. */
export const AUTO_HYBRID_PASSAGES = 20_000;

export type IndexKind = 'auto' | 'lexical' | 'hybrid';

/**
 * The id of a corpus: `c-` + h(documents, settings, encoder). It names one index for ever, whoever builds it.
 * @param encoder id of the encoder, where it is not the default.
 */
export function corpusIdOf(
  documents: Pick<ArtifactRef, 'sha256'>,
  index: IndexKind,
  encoder: string = SENTENCE_ENCODER.id,
): string {
  const settings = { version: INDEX_VERSION, words: PASSAGE_WORDS, overlap: PASSAGE_OVERLAP, index };
  return `c-${shortHash(documents.sha256, settings, index === 'lexical' ? null : encoder)}`;
}

/** Where an index lies: in the bucket of the platform, whatever bucket the documents are in. */
export const corpusKeys = (corpusId: string) => ({
  /** CorpusInfo, written last: without it there is no index. */
  info: `corpora/${corpusId}/index.json`,
  index: (sha256: string) => `corpora/${corpusId}/index-${sha256.slice(0, 16)}.sqlite`,
  rejects: `corpora/${corpusId}/rejects.jsonl`,
  /** What one job has built so far. */
  build: (owner: string) => `corpora/${corpusId}/build/${owner}.sqlite`,
});

/** What is known of a finished index. */
export interface CorpusInfo {
  corpusId: string;
  /** `auto` has become one of these. */
  index: 'lexical' | 'hybrid';
  encoder?: { id: string; dims: number };
  documents: number;
  passages: number;
  facts: number;
  rejects: number;
  /** The SQLite file. */
  artifact: ArtifactRef;
  /** JSONL of DocumentReject, where there are any. */
  rejected?: ArtifactRef;
}
