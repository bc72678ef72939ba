import { stemsOf } from './stem.ts';
import { topScores } from './top.ts';

/** A document by named fields, such as `{name, text}`. */
export interface Bm25Document {
  id: string;
  fields: Record<string, string>;
}

export interface Bm25Options {
  /** How soon more of the same term stops counting; default 1.2. */
  k1?: number;
  /** How much longer documents are held back, 0..1; default 0.75. */
  b?: number;
  /** How often a field's terms count, default once: `{name: 2}` doubles names. */
  fields?: Record<string, number>;
}

export interface Bm25Index {
  readonly ids: readonly string[];
  /** Score of every document, in the order of the ids; never negative. */
  scores(query: string): Float64Array;
  /** The k best that hold any term of the query, best first, ties by id. */
  search(query: string, k: number, keep?: (index: number) => boolean): { id: string; score: number }[];
}

interface Postings {
  documents: number[];
  counts: number[];
}

/**
 * Okapi BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009) over stems of
 * words. Inverse document frequencies below zero, those of terms in more than half of the documents, count as zero.
 */
export function bm25Index(documents: readonly Bm25Document[], options: Bm25Options = {}): Bm25Index {
  const { k1 = 1.2, b = 0.75, fields = {} } = options;
  const postings = new Map<string, Postings>();
  const lengths = new Float64Array(documents.length);
  documents.forEach((document, index) => {
    const counts = new Map<string, number>();
    for (const [field, text] of Object.entries(document.fields)) {
      const weight = fields[field] ?? 1;
      for (const term of stemsOf(text)) {
        counts.set(term, (counts.get(term) ?? 0) + weight);
        lengths[index]! += weight;
      }
    }
    for (const [term, count] of counts) {
      let posting = postings.get(term);
      if (!posting) postings.set(term, (posting = { documents: [], counts: [] }));
      posting.documents.push(index);
      posting.counts.push(count);
    }
  });
  const mean = lengths.reduce((sum, length) => sum + length, 0) / Math.max(1, documents.length) || 1;
  const norms = lengths.map((length) => k1 * (1 - b + (b * length) / mean));
  const ids = documents.map(({ id }) => id);

  const scores = (query: string): Float64Array => {
    const out = new Float64Array(documents.length);
    for (const term of stemsOf(query)) {
      const posting = postings.get(term);
      if (!posting) continue;
      const found = posting.documents.length;
      const idf = Math.log((documents.length - found + 0.5) / (found + 0.5));
      if (idf <= 0) continue;
      posting.documents.forEach((document, at) => {
        const count = posting.counts[at]!;
        out[document]! += (idf * count * (k1 + 1)) / (count + norms[document]!);
      });
    }
    return out;
  };
  return {
    ids,
    scores,
    search: (query, k, keep) => {
      const all = scores(query);
      return topScores(all, ids, k, (index) => all[index]! > 0 && (keep?.(index) ?? true)).map(
        ({ index, score }) => ({ id: ids[index]!, score }),
      );
    },
  };
}
