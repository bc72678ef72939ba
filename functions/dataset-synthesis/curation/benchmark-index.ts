import { mix32 } from '#shared/text/hashes.ts';
import { contaminationWords } from '#shared/text/normalise.ts';

/**
 * Gate 8: which benchmark items a text shares an n-gram with. Grams are 64-bit hashes of `ngram` consecutive words;
 * items with fewer words match only a whole text that equals their question (specification section 7).
 */

/** Grams in more distinct items of one benchmark than this are template text: ignored and counted. */
export const TEMPLATE_ITEMS = 10;

export interface BenchmarkItem {
  id: string;
  question: string;
  choices: string[];
}

export interface BenchmarkSummary {
  name: string;
  items: number;
  ignoredNgrams: number;
}

/** A benchmark item that a text repeats; `gram` is the longest run of shared words found there. */
export interface Hit {
  benchmark: string;
  item: string;
  gram: string;
}

/** The index without its grams: what `index.json` holds. */
export interface BenchmarkNames {
  ngram: number;
  benchmarks: BenchmarkSummary[];
  /** Ids of the items, of all benchmarks one after the other. */
  itemIds: string[];
}

const BASE_LOW = 0x2c1b3c6d;
const BASE_HIGH = 0x297a2d39;
const WHOLE = 0x5bd1e995;

/** Two independent 32-bit hashes of each word. */
function wordHashes(words: readonly string[]): { low: Uint32Array; high: Uint32Array } {
  const low = new Uint32Array(words.length);
  const high = new Uint32Array(words.length);
  for (let w = 0; w < words.length; w++) {
    const word = words[w]!;
    let a = 0x811c9dc5;
    let b = 0x9747b28c;
    for (let i = 0; i < word.length; i++) {
      const unit = word.charCodeAt(i);
      a = Math.imul(a ^ unit, 0x01000193);
      b = (Math.imul(b, 0x85ebca6b) + unit) | 0;
    }
    low[w] = mix32(a);
    high[w] = mix32(b ^ word.length);
  }
  return { low, high };
}

/** base^(n-1) mod 2^32: the weight of the word that leaves a rolling window of n. */
function leaving(base: number, n: number): number {
  let power = 1;
  for (let i = 1; i < n; i++) power = Math.imul(power, base);
  return power;
}

/** Calls back with the 64-bit hash (two halves) of every window of n words. */
function eachGram(
  words: readonly string[],
  n: number,
  visit: (low: number, high: number, at: number) => void,
): void {
  if (words.length < n) return;
  const { low, high } = wordHashes(words);
  const dropLow = leaving(BASE_LOW, n);
  const dropHigh = leaving(BASE_HIGH, n);
  let a = 0;
  let b = 0;
  for (let i = 0; i < words.length; i++) {
    if (i >= n) {
      a = (a - Math.imul(low[i - n]!, dropLow)) | 0;
      b = (b - Math.imul(high[i - n]!, dropHigh)) | 0;
    }
    a = (Math.imul(a, BASE_LOW) + low[i]!) | 0;
    b = (Math.imul(b, BASE_HIGH) + high[i]!) | 0;
    if (i >= n - 1) visit(mix32(a), mix32(b), i - n + 1);
  }
}

/** The hash of a whole short text, apart from every gram's. */
function wholeHash(words: readonly string[]): [number, number] {
  const { low, high } = wordHashes(words);
  let a = WHOLE;
  let b = words.length;
  for (let i = 0; i < words.length; i++) {
    a = (Math.imul(a, BASE_LOW) + low[i]!) | 0;
    b = (Math.imul(b, BASE_HIGH) + high[i]!) | 0;
  }
  return [mix32(a), mix32(b)];
}

/** Growing list of (hash, item) entries: three unsigned 32-bit numbers each. */
class Entries {
  #data = new Uint32Array(3 * 4096);
  length = 0;

  add(low: number, high: number, item: number): void {
    const at = this.length * 3;
    if (at + 3 > this.#data.length) {
      const grown = new Uint32Array(this.#data.length * 2);
      grown.set(this.#data);
      this.#data = grown;
    }
    this.#data[at] = low;
    this.#data[at + 1] = high;
    this.#data[at + 2] = item;
    this.length++;
  }

  /** Entry indexes in order of hash, then item. */
  sorted(): { order: Uint32Array; data: Uint32Array } {
    const data = this.#data;
    const order = Uint32Array.from({ length: this.length }, (_, i) => i);
    order.sort((x, y) => {
      for (const k of [1, 0, 2]) {
        const difference = data[x * 3 + k]! - data[y * 3 + k]!;
        if (difference !== 0) return difference;
      }
      return 0;
    });
    return { order, data };
  }
}

/** Builds an index, one benchmark after the other. */
export class BenchmarkIndexBuilder {
  readonly names: BenchmarkNames;
  readonly #kept = new Entries();

  constructor(ngram: number) {
    this.names = { ngram, benchmarks: [], itemIds: [] };
  }

  async add(
    name: string,
    items: AsyncIterable<BenchmarkItem> | Iterable<BenchmarkItem>,
  ): Promise<BenchmarkSummary> {
    const { ngram, itemIds } = this.names;
    const grams = new Entries();
    const summary: BenchmarkSummary = { name, items: 0, ignoredNgrams: 0 };
    for await (const item of items) {
      const number = itemIds.length;
      itemIds.push(item.id);
      summary.items++;
      const question = contaminationWords(item.question);
      if (question.length > 0 && question.length < ngram) this.#kept.add(...wholeHash(question), number);
      for (const words of [question, ...item.choices.map(contaminationWords)]) {
        eachGram(words, ngram, (low, high) => grams.add(low, high, number));
      }
    }
    summary.ignoredNgrams = this.#keepRare(grams);
    this.names.benchmarks.push(summary);
    return summary;
  }

  /** Keeps each (gram, item) once, without template grams; returns how many of those there were. */
  #keepRare(grams: Entries): number {
    const { order, data } = grams.sorted();
    let ignored = 0;
    for (let from = 0; from < order.length;) {
      const low = data[order[from]! * 3]!;
      const high = data[order[from]! * 3 + 1]!;
      const items: number[] = [];
      let to = from;
      for (; to < order.length; to++) {
        const entry = order[to]! * 3;
        if (data[entry] !== low || data[entry + 1] !== high) break;
        if (items.at(-1) !== data[entry + 2]) items.push(data[entry + 2]!);
      }
      if (items.length > TEMPLATE_ITEMS) ignored++;
      else for (const item of items) this.#kept.add(low, high, item);
      from = to;
    }
    return ignored;
  }

  /** Sorted entries: (low, high, item) as little-endian unsigned 32-bit numbers. */
  bytes(): Uint8Array {
    const { order, data } = this.#kept.sorted();
    const out = new Uint32Array(order.length * 3);
    for (let i = 0; i < order.length; i++) {
      const entry = order[i]! * 3;
      out.set(data.subarray(entry, entry + 3), i * 3);
    }
    return new Uint8Array(out.buffer);
  }
}

/** Looks texts up. About 20 bytes of memory a gram. */
export class BenchmarkIndex {
  readonly names: BenchmarkNames;
  readonly #entries: Uint32Array;
  /** Open addressing on the low half: index of a hash's first entry, plus one. */
  readonly #table: Uint32Array;
  readonly #mask: number;
  readonly #benchmarkOf: (item: number) => string;

  constructor(names: BenchmarkNames, bytes: Uint8Array) {
    this.names = names;
    this.#entries = new Uint32Array(bytes.slice().buffer);
    const count = this.#entries.length / 3;
    let size = 16;
    while (size < count * 2) size *= 2;
    this.#table = new Uint32Array(size);
    this.#mask = size - 1;
    for (let entry = 0; entry < count; entry++) {
      if (entry > 0 && this.#sameHash(entry, entry - 1)) continue;
      let slot = this.#entries[entry * 3]! & this.#mask;
      while (this.#table[slot] !== 0) slot = (slot + 1) & this.#mask;
      this.#table[slot] = entry + 1;
    }
    const starts: number[] = [];
    let total = 0;
    for (const { items } of names.benchmarks) {
      starts.push(total);
      total += items;
    }
    this.#benchmarkOf = (item) => {
      let index = starts.length - 1;
      while (index > 0 && starts[index]! > item) index--;
      return names.benchmarks[index]!.name;
    };
  }

  #sameHash(a: number, b: number): boolean {
    return (
      this.#entries[a * 3] === this.#entries[b * 3] && this.#entries[a * 3 + 1] === this.#entries[b * 3 + 1]
    );
  }

  /** The first entry of a hash, or -1. */
  #find(low: number, high: number): number {
    for (let slot = low & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const entry = this.#table[slot]! - 1;
      if (entry < 0) return -1;
      if (this.#entries[entry * 3] === low && this.#entries[entry * 3 + 1] === high) return entry;
    }
  }

  /** Every benchmark item the text shares a gram with, in index order; none is the common case and quick. */
  hits(text: string): Hit[] {
    const { ngram } = this.names;
    const words = contaminationWords(text);
    /** Item to the runs of word positions where its grams were found. */
    const runs = new Map<number, { from: number; to: number }[]>();
    const found = (low: number, high: number, at: number, width: number): void => {
      for (let entry = this.#find(low, high); entry >= 0 && entry * 3 < this.#entries.length; entry++) {
        if (this.#entries[entry * 3] !== low || this.#entries[entry * 3 + 1] !== high) break;
        const item = this.#entries[entry * 3 + 2]!;
        const list = runs.get(item) ?? [];
        const last = list.at(-1);
        if (last && at <= last.to) last.to = Math.max(last.to, at + width);
        else list.push({ from: at, to: at + width });
        runs.set(item, list);
      }
    };
    if (words.length > 0 && words.length < ngram) found(...wholeHash(words), 0, words.length);
    eachGram(words, ngram, (low, high, at) => found(low, high, at, ngram));
    return [...runs]
      .sort(([a], [b]) => a - b)
      .map(([item, list]) => {
        const longest = list.reduce((best, run) => (run.to - run.from > best.to - best.from ? run : best));
        const gram = words.slice(longest.from, longest.to).join(' ');
        return { benchmark: this.#benchmarkOf(item), item: this.names.itemIds[item]!, gram };
      });
  }
}
