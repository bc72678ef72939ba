/**
 * Compares sets of well-mixed 32-bit hashes. One open-addressing table is used again for every comparison, which costs
 * a few probes a hash: no sorting, no allocation.
 */
export class HashSets {
  #slots = 0;
  #keys = new Uint32Array(0);
  /** In which comparison a slot was filled: `#epoch` by the left set only, one more once the right set has it. */
  #marks = new Uint32Array(0);
  #epoch = 0;

  /** The Jaccard similarity of the sets of two lists, which may hold repeats; two empty ones are alike (1). */
  jaccard(left: Uint32Array, right: Uint32Array): number {
    this.#begin(left.length + right.length);
    const keys = this.#keys;
    const marks = this.#marks;
    const mask = this.#slots - 1;
    const inLeft = this.#epoch;
    const inRight = inLeft + 1;
    let all = 0;
    let shared = 0;
    for (let i = 0; i < left.length; i++) {
      const hash = left[i]!;
      let slot = hash & mask;
      while (marks[slot] === inLeft && keys[slot] !== hash) slot = (slot + 1) & mask;
      if (marks[slot] === inLeft) continue;
      marks[slot] = inLeft;
      keys[slot] = hash;
      all++;
    }
    for (let i = 0; i < right.length; i++) {
      const hash = right[i]!;
      let slot = hash & mask;
      while (marks[slot]! >= inLeft && keys[slot] !== hash) slot = (slot + 1) & mask;
      const mark = marks[slot]!;
      if (mark === inRight) continue;
      if (mark === inLeft) shared++;
      else {
        keys[slot] = hash;
        all++;
      }
      marks[slot] = inRight;
    }
    return all === 0 ? 1 : shared / all;
  }

  /** Makes room for so many hashes, half of the table staying free, and forgets the comparison before. */
  #begin(hashes: number): void {
    if (this.#slots < 2 * hashes) {
      this.#slots = 1024;
      while (this.#slots < 2 * hashes) this.#slots *= 2;
      this.#keys = new Uint32Array(this.#slots);
      this.#marks = new Uint32Array(this.#slots);
      this.#epoch = 0;
    }
    this.#epoch += 2;
    if (this.#epoch > 0xfffffff0) {
      this.#marks.fill(0);
      this.#epoch = 2;
    }
  }
}
