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

/** What a person should know of a corpus that was indexed, and whether it is a warning. */
export function corpusMessage(info: CorpusInfo): { level: 'info' | 'warn'; message: string } {
  const count = (n: number, one: string): string => `${n} ${one}${n === 1 ? '' : 's'}`;
  const has = `The corpus has ${count(info.documents, 'document')} in ${count(info.passages, 'passage')}.`;
  if (info.rejects === 0) return { level: 'info', message: has };
  const where = info.rejected ? `: ${info.rejected.key} says why` : '';
  const lines = info.rejects === 1 ? '1 line was no document' : `${info.rejects} lines were no documents`;
  return { level: 'warn', message: `${has} ${lines}${where}.` };
}
