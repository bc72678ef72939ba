import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { ambiguousKeys, extractFacts } from '../facts/extract.ts';
import { normaliseText } from '../facts/normalise.ts';
import type { CorpusDocument, DocumentReject } from './documents.ts';
import { embeddingText, passagesOf } from './passages.ts';
import { openForBuilding } from './schema.ts';

/** Where a build stands; kept in its own file. */
export interface BuildProgress {
  phase: 'read' | 'embed' | 'finish';
  /** Offset of the next line of the documents, and the lines before it. */
  byte: number;
  line: number;
  documents: number;
  passages: number;
  facts: number;
  rejects: number;
  embedded: number;
}

const START: BuildProgress = {
  phase: 'read',
  byte: 0,
  line: 0,
  documents: 0,
  passages: 0,
  facts: 0,
  rejects: 0,
  embedded: 0,
};

/** Writes documents, passages, facts and vectors to the file of an index under construction. */
export class IndexWriter {
  readonly progress: BuildProgress;
  readonly #db: DatabaseSync;
  readonly #insert: Record<
    'document' | 'passage' | 'words' | 'fact' | 'ambiguous' | 'reject' | 'vector',
    StatementSync
  >;
  readonly #byId: StatementSync;

  constructor(path: string) {
    const db = openForBuilding(path);
    this.#db = db;
    this.progress = { ...START };
    for (const { name, value } of db.prepare('SELECT name, value FROM progress').all() as {
      name: keyof BuildProgress;
      value: never;
    }[])
      this.progress[name] = value;
    this.#byId = db.prepare('SELECT 1 FROM documents WHERE id = ?');
    this.#insert = {
      document: db.prepare('INSERT INTO documents(position, id, url, title, text) VALUES (?, ?, ?, ?, ?)'),
      passage: db.prepare('INSERT INTO passages(id, document, start, "end", heading) VALUES (?, ?, ?, ?, ?)'),
      words: db.prepare('INSERT INTO words(rowid, title, heading, body) VALUES (?, ?, ?, ?)'),
      fact: db.prepare(
        `INSERT INTO facts(id, document, line, key, path, heading, relation, value, head, normal_head)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ),
      ambiguous: db.prepare('INSERT OR IGNORE INTO ambiguous_keys(key) VALUES (?)'),
      reject: db.prepare('INSERT INTO rejects(id, row) VALUES (?, ?)'),
      vector: db.prepare('INSERT INTO vectors(passage, scale, numbers) VALUES (?, ?, ?)'),
    };
  }

  /** Runs changes in one transaction, with the progress as it is after them. */
  transact(body: () => void): void {
    this.#db.exec('BEGIN');
    body();
    const put = this.#db.prepare('INSERT OR REPLACE INTO progress(name, value) VALUES (?, ?)');
    for (const [name, value] of Object.entries(this.progress)) put.run(name, value as string | number);
    this.#db.exec('COMMIT');
  }

  /** Adds a document, or a reject where its id is taken. */
  addDocument(document: CorpusDocument, line: number): void {
    const { progress } = this;
    const { id, url, title, text } = document;
    if (this.#byId.get(id)) {
      this.addReject({
        line,
        id,
        code: 'duplicate_id',
        detail: `An earlier line has the id ${JSON.stringify(id)}.`,
      });
      return;
    }
    const position = ++progress.documents;
    this.#insert.document.run(position, id, url ?? null, title, text);
    for (const { start, end, heading } of passagesOf(text)) {
      const passage = ++progress.passages;
      this.#insert.passage.run(passage, position, start, end, heading);
      this.#insert.words.run(passage, title, heading, text.slice(start, end));
    }
    const facts = extractFacts(document);
    for (const fact of facts) {
      this.#insert.fact.run(
        ++progress.facts,
        position,
        fact.line,
        fact.key,
        fact.path.length === 0 ? '[]' : JSON.stringify(fact.path),
        fact.path.at(-1) ?? '',
        fact.key,
        fact.value,
        fact.head,
        normaliseText(fact.head),
      );
    }
    for (const key of ambiguousKeys(facts)) this.#insert.ambiguous.run(key);
  }

  addReject(reject: DocumentReject): void {
    this.#insert.reject.run(++this.progress.rejects, JSON.stringify(reject));
  }

  /** What to embed next: passages in order, and the text the encoder is to read. */
  pendingTexts(limit: number): { passage: number; text: string }[] {
    const rows = this.#db
      .prepare(
        `SELECT p.id, p.heading, d.title, substr(d.text, p.start + 1, min(p."end" - p.start, 600)) AS body
         FROM passages p JOIN documents d ON d.position = p.document WHERE p.id > ? ORDER BY p.id LIMIT ?`,
      )
      .all(this.progress.embedded, limit) as { id: number; heading: string; title: string; body: string }[];
    return rows.map(({ id, heading, title, body }) => ({
      passage: id,
      text: embeddingText(title, heading, body),
    }));
  }

  addVector(passage: number, vector: Float32Array): void {
    const { scale, numbers } = quantise(vector);
    this.#insert.vector.run(
      passage,
      scale,
      new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.length),
    );
    this.progress.embedded = passage;
  }

  *rejects(): Generator<DocumentReject> {
    for (const { row } of this.#db.prepare('SELECT row FROM rejects ORDER BY id').iterate())
      yield JSON.parse(row as string) as DocumentReject;
  }

  /** Names relations alike in all documents, merges the word index, makes the indexes of facts. */
  finish(): void {
    this.#db.exec(`
      UPDATE facts SET relation = heading || ' - ' || key
        WHERE heading <> '' AND key IN (SELECT key FROM ambiguous_keys);
      INSERT INTO words(words) VALUES ('optimize');
      CREATE INDEX facts_of_document ON facts(document, line);
      CREATE INDEX facts_by_head ON facts(normal_head);
      CREATE INDEX facts_by_relation ON facts(relation);
      ANALYZE;
    `);
  }

  close(): void {
    this.#db.close();
  }
}

/** A unit vector as whole numbers of one byte: `vector ≈ scale * numbers`. */
export function quantise(vector: Float32Array): { scale: number; numbers: Int8Array } {
  let largest = 0;
  for (const number of vector) largest = Math.max(largest, Math.abs(number));
  const scale = largest / 127;
  return {
    scale,
    numbers: Int8Array.from(vector, (number) => (scale === 0 ? 0 : Math.round(number / scale))),
  };
}
