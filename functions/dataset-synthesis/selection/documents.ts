import { bandKey, similarity } from '#shared/text/minhash.ts';

/** Which documents of a job are copies of earlier ones. Holds about 30 bytes a document, 560 with signatures. */

/** Bands and rows for documents: P(candidate) = 1 - (1 - s^8)^16, 0.947 at s = 0.8. */
export const DOCUMENT_BANDS = 16;
export const DOCUMENT_ROWS = 8;

/** More documents than this need another machine: the job is refused. */
export const MAX_DOCUMENTS = 20_000_000;
export const MAX_NEAR_DOCUMENTS = 5_000_000;

/** A growing array of unsigned 32-bit numbers. */
class Numbers {
  data = new Uint32Array(1024);
  length = 0;

  push(...values: number[]): void {
    if (this.length + values.length > this.data.length) {
      const grown = new Uint32Array(this.data.length * 2);
      grown.set(this.data);
      this.data = grown;
    }
    for (const value of values) this.data[this.length++] = value;
  }
}

/** A set of document ids: 128-bit numbers in open addressing, in order of arrival. */
export class DocumentIds {
  readonly #words = new Numbers();
  #table = new Uint32Array(2048);
  size = 0;

  /** Adds an id (`d` and 32 hex digits); false where it was there. */
  add(docId: string): boolean {
    const id = [1, 9, 17, 25].map((at) => parseInt(docId.slice(at, at + 8), 16));
    const slot = this.#slotOf(id);
    if (this.#table[slot] !== 0) return false;
    this.#words.push(...id);
    this.#table[slot] = ++this.size;
    if (this.size * 2 > this.#table.length) this.#grow();
    return true;
  }

  /** The id that was added as the n-th, from 0. */
  at(n: number): string {
    const words = this.#words.data.subarray(n * 4, n * 4 + 4);
    return `d${[...words].map((word) => word.toString(16).padStart(8, '0')).join('')}`;
  }

  #slotOf(id: readonly number[]): number {
    const mask = this.#table.length - 1;
    const words = this.#words.data;
    let slot = id[3]! & mask;
    for (; this.#table[slot] !== 0; slot = (slot + 1) & mask) {
      const at = (this.#table[slot]! - 1) * 4;
      if (
        words[at] === id[0] &&
        words[at + 1] === id[1] &&
        words[at + 2] === id[2] &&
        words[at + 3] === id[3]
      )
        break;
    }
    return slot;
  }

  #grow(): void {
    const old = this.size;
    this.#table = new Uint32Array(this.#table.length * 2);
    const mask = this.#table.length - 1;
    for (let n = 0; n < old; n++) {
      let slot = this.#words.data[n * 4 + 3]! & mask;
      while (this.#table[slot] !== 0) slot = (slot + 1) & mask;
      this.#table[slot] = n + 1;
    }
  }
}

/** Finds, for each document in turn, an earlier kept one whose estimated Jaccard similarity reaches the threshold. */
export class NearDocuments {
  readonly #threshold: number;
  readonly #signatures: Uint32Array[] = [];
  readonly #buckets = Array.from({ length: DOCUMENT_BANDS }, () => new Map<number, number[]>());

  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  /** The earliest kept match and its similarity; else the document is kept as number `n` and undefined is given. */
  add(signature: Uint32Array, n: number): { kept: number; similarity: number } | undefined {
    const keys = this.#buckets.map((_, band) => bandKey(signature, band, DOCUMENT_ROWS));
    const candidates = new Set<number>();
    for (const [band, buckets] of this.#buckets.entries()) {
      for (const candidate of buckets.get(keys[band]!) ?? []) candidates.add(candidate);
    }
    for (const candidate of [...candidates].sort((a, b) => a - b)) {
      const likeness = similarity(this.#signatures[candidate]!, signature);
      if (likeness >= this.#threshold) return { kept: candidate, similarity: likeness };
    }
    this.#signatures[n] = signature;
    for (const [band, buckets] of this.#buckets.entries()) {
      const bucket = buckets.get(keys[band]!);
      if (bucket) bucket.push(n);
      else buckets.set(keys[band]!, [n]);
    }
    return undefined;
  }
}
