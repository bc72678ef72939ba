import { createHash } from 'node:crypto';

/**
 * Where a subject stands in a seeded order: the first 52 bits of sha256(seed|id) as an integer. A sample of n is the n
 * lowest, so that a small sample is part of every larger one and of the whole.
 */
export function rankOf(seed: number, id: string): number {
  const digest = createHash('sha256').update(`${seed}|${id}`).digest();
  return digest.readUIntBE(0, 6) * 16 + (digest[6]! >>> 4);
}

/** Growing list of ranks, 8 bytes each. */
export class Ranks {
  #data = new Float64Array(1024);
  length = 0;

  push(rank: number): void {
    if (this.length === this.#data.length) {
      const grown = new Float64Array(this.#data.length * 2);
      grown.set(this.#data);
      this.#data = grown;
    }
    this.#data[this.length++] = rank;
  }

  at(index: number): number {
    return this.#data[index]!;
  }

  /** The highest rank of the `count` lowest; Infinity where there are no more than that. */
  threshold(count: number): number {
    if (count >= this.length) return Infinity;
    return count === 0 ? -1 : this.#data.slice(0, this.length).sort()[count - 1]!;
  }
}
