import type { DatabaseSync } from 'node:sqlite';
import { topScores } from '#shared/text/top.ts';
import type { Encoder } from '#shared/text/encoder.ts';
import type { Fact, SearchHit } from '../types.ts';
import type { CorpusDocument } from './documents.ts';
import { matchExpression, MAX_QUERY_CHARS } from './query.ts';
import type { CorpusInfo } from './settings.ts';
import { snippetOf } from './snippet.ts';
import { corpusUrl } from './url.ts';
import { loadVectors, type PassageVectors } from './vectors.ts';

/** Passages that each way of searching contributes. */
const CANDIDATES = 100;
export const DEFAULT_SEMANTIC_WEIGHT = 0.1;
/** Hits of a search unless said. */
export const RESULTS = 10;

export interface CorpusSearchOptions {
  /** Documents, 1 to 100; default 10. */
  limit?: number;
  /** Weight of meaning, 0 to 1; default 0.1. From 0.3 on it hurts looking things up by name. */
  semanticWeight?: number;
  signal?: AbortSignal;
}

export interface FactQuery {
  documentId?: string;
  relation?: string;
  /** By its normal form (facts/normalise.ts). */
  normalHead?: string;
}

interface FactRow {
  documentId: string;
  title: string;
  position: number;
  line: number;
  key: string;
  path: string;
  relation: string;
  value: string;
  head: string;
}

/** A finished index, open for reading. */
export class Corpus {
  readonly info: CorpusInfo;
  readonly #db: DatabaseSync;
  readonly #encoder: () => Promise<Encoder>;
  #vectors: PassageVectors | undefined;

  constructor(db: DatabaseSync, info: CorpusInfo, encoder: () => Promise<Encoder>) {
    this.#db = db;
    this.info = info;
    this.#encoder = encoder;
  }

  /**
   * The documents whose best passage scores highest, best first, ties by id: the 100 best passages by words and, in a
   * hybrid index, the 100 nearest in meaning, scored `(1-w)*bm25/max + w*minmax(cosine)` (specification section 6).
   * No words in the query, no results. It never throws for what a query holds.
   */
  async search(query: string, options: CorpusSearchOptions = {}): Promise<SearchHit[]> {
    const { limit = RESULTS, semanticWeight = DEFAULT_SEMANTIC_WEIGHT } = options;
    const expression = matchExpression(query);
    if (expression === undefined) return [];
    const lexical = this.#lexical(expression);
    const weight = this.info.encoder ? semanticWeight : 0;
    const cosines = weight > 0 ? await this.#semantic(query, lexical, options.signal) : undefined;
    return this.#hits(query, combined(lexical, cosines, weight), limit);
  }

  /** bm25 of the best passages, positive, by passage id. */
  #lexical(expression: string): Map<number, number> {
    const rows = this.#db
      .prepare(
        `SELECT rowid AS passage, -bm25(words, 3.0, 2.0, 1.0) AS score FROM words
         WHERE words MATCH ? ORDER BY score DESC, rowid LIMIT ${CANDIDATES}`,
      )
      .all(expression) as { passage: number; score: number }[];
    return new Map(rows.map(({ passage, score }) => [passage, score]));
  }

  /** Cosines of the nearest passages and of those that were found by words. */
  async #semantic(
    query: string,
    lexical: ReadonlyMap<number, number>,
    signal: AbortSignal | undefined,
  ): Promise<Map<number, number>> {
    const { dims } = this.info.encoder!;
    this.#vectors ??= loadVectors(this.#db, this.info.passages, dims);
    const encoder = await this.#encoder();
    const [vector] = await encoder.embed(
      [query.slice(0, MAX_QUERY_CHARS).toWellFormed()],
      signal ? { signal } : {},
    );
    const cosines = new Map<number, number>();
    const all = this.#vectors.cosines(vector!);
    for (const index of nearest(all, CANDIDATES)) cosines.set(index + 1, all[index]!);
    for (const passage of lexical.keys()) cosines.set(passage, all[passage - 1]!);
    return cosines;
  }

  #hits(query: string, scores: ReadonlyMap<number, number>, limit: number): SearchHit[] {
    if (scores.size === 0) return [];
    const rows = this.#db
      .prepare(
        `SELECT p.id AS passage, p.document, p.start, p."end", d.id, d.title FROM passages p
         JOIN documents d ON d.position = p.document WHERE p.id IN (SELECT value FROM json_each(?)) ORDER BY p.id`,
      )
      .all(JSON.stringify([...scores.keys()])) as {
      passage: number;
      document: number;
      start: number;
      end: number;
      id: string;
      title: string;
    }[];
    const best = new Map<number, { row: (typeof rows)[number]; score: number }>();
    for (const row of rows) {
      const score = scores.get(row.passage)!;
      const before = best.get(row.document);
      if (!before || score > before.score) best.set(row.document, { row, score });
    }
    const documents = [...best.values()];
    const order = topScores(
      documents.map(({ score }) => score),
      documents.map(({ row }) => row.id),
      limit,
    );
    const text = this.#db.prepare('SELECT text FROM documents WHERE position = ?');
    return order.map(({ index, score }) => {
      const { row } = documents[index]!;
      const { text: whole } = text.get(row.document) as { text: string };
      const snippet = snippetOf(whole.slice(row.start, row.end), query);
      return { title: row.title, url: corpusUrl(row.id), snippet, score };
    });
  }

  /** A document by its id. */
  document(id: string): CorpusDocument | undefined {
    const row = this.#db.prepare('SELECT id, url, title, text FROM documents WHERE id = ?').get(id);
    return row && documentIn(row as unknown as DocumentRow);
  }

  /** All documents in the order of the corpus, one at a time. */
  *documents(): Generator<CorpusDocument> {
    for (const row of this.#db
      .prepare('SELECT id, url, title, text FROM documents ORDER BY position')
      .iterate())
      yield documentIn(row as unknown as DocumentRow);
  }

  /** Facts in the order of documents and lines: all, or those that a query asks for. */
  *facts(query: FactQuery = {}): Generator<Fact> {
    const where: string[] = [];
    const values: string[] = [];
    for (const [column, value] of [
      ['d.id', query.documentId],
      ['f.relation', query.relation],
      ['f.normal_head', query.normalHead],
    ] as const) {
      if (value === undefined) continue;
      where.push(`${column} = ?`);
      values.push(value);
    }
    const rows = this.#db
      .prepare(
        `SELECT d.id AS documentId, d.title, d.position, f.line, f.key, f.path, f.relation, f.value, f.head
         FROM facts f JOIN documents d ON d.position = f.document
         ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''} ORDER BY f.document, f.id`,
      )
      .iterate(...values);
    const text = this.#db.prepare('SELECT text FROM documents WHERE position = ?');
    let of = 0;
    let lines: string[] = [];
    for (const row of rows as Iterable<unknown>) {
      const { position, path, ...fact } = row as FactRow;
      if (position !== of) {
        of = position;
        lines = (text.get(position) as { text: string }).text.split('\n');
      }
      yield { ...fact, path: JSON.parse(path) as string[], text: lines[fact.line - 1] ?? '' };
    }
  }

  /** Relations with the number of documents that have them, most first, ties by name. */
  relations(): { relation: string; documents: number }[] {
    return this.#db
      .prepare(
        `SELECT relation, count(DISTINCT document) AS documents FROM facts GROUP BY relation
         ORDER BY documents DESC, relation`,
      )
      .all() as { relation: string; documents: number }[];
  }

  /** In how many documents a word stands, in any of its forms. */
  documentsWith(word: string): number {
    const expression = matchExpression(word);
    if (expression === undefined) return 0;
    const { found } = this.#db
      .prepare(
        `SELECT count(DISTINCT p.document) AS found FROM words w JOIN passages p ON p.id = w.rowid WHERE words MATCH ?`,
      )
      .get(expression) as { found: number };
    return found;
  }

  close(): void {
    this.#db.close();
  }
}

interface DocumentRow {
  id: string;
  url: string | null;
  title: string;
  text: string;
}

const documentIn = ({ id, url, title, text }: DocumentRow): CorpusDocument => ({
  id,
  ...(url === null ? {} : { url }),
  title,
  text,
});

/** Places of the k largest numbers; ties by place. */
function nearest(scores: Float32Array, k: number): number[] {
  if (scores.length <= k) return [...scores.keys()];
  // The k-th largest first: sorting numbers is native, sorting places by a comparison is not.
  const sorted = Float32Array.from(scores).sort();
  const least = sorted[sorted.length - k]!;
  const above: number[] = [];
  const equal: number[] = [];
  for (let index = 0; index < scores.length; index++) {
    if (scores[index]! > least) above.push(index);
    else if (scores[index]! === least) equal.push(index);
  }
  return [...above, ...equal.slice(0, k - above.length)];
}

/** The score of every candidate. A passage beyond the lexical candidates counts as without the words. */
function combined(
  lexical: ReadonlyMap<number, number>,
  cosines: ReadonlyMap<number, number> | undefined,
  weight: number,
): Map<number, number> {
  const most = Math.max(...lexical.values(), Number.MIN_VALUE);
  const [low, high] = cosines ? [Math.min(...cosines.values()), Math.max(...cosines.values())] : [0, 0];
  const scores = new Map<number, number>();
  for (const passage of new Set([...lexical.keys(), ...(cosines?.keys() ?? [])])) {
    const near = cosines && high > low ? (cosines.get(passage)! - low) / (high - low) : 0;
    scores.set(passage, ((1 - weight) * (lexical.get(passage) ?? 0)) / most + weight * near);
  }
  return scores;
}
