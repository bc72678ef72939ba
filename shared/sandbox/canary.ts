/**
 * Finds what a run changed in Python's own modules by looking at the interpreter's memory: some 30,000 words in a few
 * hundredths of a millisecond, and without asking Python, which the run may have changed.
 *
 * Watched are the values of module attributes, the code and defaults of functions, the contents of the runner's cells
 * and of public lists and dicts: a change there is tampering. Two things change in innocent runs too, the size of a
 * module's dict (a submodule was imported) and a class's version (its annotations were read); there the runner, known
 * to be whole by then, is asked.
 */

/** What the runner says is to be watched, by address (`id`). */
export interface Watch {
  /** Dicts by name: the module, and the addresses of the keys that may change, and of those that are put back. */
  dicts: { name: string; at: number; skip: number[]; loose: number[] }[];
  /** Lists: their length, place and items. */
  lists: { name: string; at: number }[];
  functions: { name: string; at: number[] }[];
  cells: number[];
  /** The cell that holds the compiled text; it changes between runs, never in one. */
  code: number;
  types: { name: string; at: number[] }[];
  /** Words as they are: a name, a first address and a count. */
  words: { name: string; at: number; count: number }[];
}

/** Offsets in CPython 3.14's structures, 32-bit, with the interpreter lock. */
const DICT = { used: 8, keys: 24 };
const KEYS = { logIndexBytes: 5, kind: 6, entries: 16, header: 20 };
const UNICODE_KEYS = 1;
const LIST = { size: 8, items: 12 };
const FUNCTION = { code: 24, words: 4 };
const CELL = 8;
const TYPE_VERSION = 192;

/** Words of one owner, up to an index. */
interface Segment {
  end: number;
  name: string;
  /** A change is tampering. */
  sure: boolean;
  /** Entries of the dict whose structure the previous segment watches. */
  ofPrevious: boolean;
}

export interface Canary {
  /** Whose state changed: surely, or perhaps (the runner is to be asked). */
  changed(): { name: string; sure: boolean } | undefined;
  /** Takes the present state as the right one. */
  rearm(): void;
  /** Takes the compiled text that is there now as the right one. */
  compiled(): void;
}

/** A canary over the interpreter's memory; `heap` gives the present view of it, for it may grow. */
export function makeCanary(watch: Watch, heap: () => Uint32Array): Canary {
  let addresses = new Uint32Array(0);
  let expected = new Uint32Array(0);
  let segments: Segment[] = [];
  /** The same places and words in the order of memory: what is looked at after every run. */
  let places = new Uint32Array(0);
  let words = new Uint32Array(0);

  const rearm = (): void => {
    const memory = heap();
    const at = (address: number): number => memory[address >>> 2]!;
    const byte = (address: number): number => (at(address & ~3) >>> ((address & 3) * 8)) & 0xff;
    const found: number[] = [];
    segments = [];
    const segment = (name: string, sure: boolean, ofPrevious = false): void => {
      segments.push({ end: found.length, name, sure, ofPrevious });
    };
    for (const { name, at: dict, skip, loose } of watch.dicts) {
      found.push(dict + DICT.used, dict + DICT.keys);
      segment(name, false);
      const keys = at(dict + DICT.keys);
      const skipped = new Set(skip);
      const passing = new Set(loose);
      const back: number[] = [];
      const unicode = byte(keys + KEYS.kind) === UNICODE_KEYS;
      const [width, key, value] = unicode ? [8, 0, 4] : [12, 4, 8];
      const first = keys + KEYS.header + 2 ** byte(keys + KEYS.logIndexBytes);
      const count = at(keys + KEYS.entries);
      for (let index = 0; index < count; index++) {
        const entry = first + index * width;
        if (at(entry + value) === 0 || skipped.has(at(entry + key))) continue;
        (passing.has(at(entry + key)) ? back : found).push(entry + value);
      }
      segment(name, true, true);
      found.push(...back);
      segment(name, false);
    }
    for (const { name, at: list } of watch.lists) {
      found.push(list + LIST.size, list + LIST.items);
      const items = at(list + LIST.items);
      for (let index = 0; index < at(list + LIST.size); index++) found.push(items + index * 4);
      segment(name, true);
    }
    for (const { name, at: functions } of watch.functions) {
      for (const fn of functions) {
        for (let word = 0; word < FUNCTION.words; word++) found.push(fn + FUNCTION.code + word * 4);
      }
      segment(name, true);
    }
    for (const cell of watch.cells) found.push(cell + CELL);
    segment('the runner', true);
    for (const { name, at: first, count } of watch.words) {
      for (let word = 0; word < count; word++) found.push(first + word * 4);
      segment(name, true);
    }
    for (const { name, at: types } of watch.types) {
      for (const type of types) found.push(type + TYPE_VERSION);
      segment(name, false);
    }
    addresses = Uint32Array.from(found, (address) => address >>> 2);
    expected = Uint32Array.from(addresses, (index) => memory[index]!);
    places = addresses.toSorted();
    words = Uint32Array.from(places, (index) => memory[index]!);
  };

  const unchanged = (memory: Uint32Array): boolean => {
    // Two arrays: one with places and words side by side is looked through three times as slowly.
    const [at, right] = [places, words];
    for (let index = 0; index < at.length; index++) {
      if (memory[at[index]!] !== right[index]) return false;
    }
    return true;
  };

  /** The owner of the first sure change, else of the first doubtful one. */
  const culprit = (memory: Uint32Array): { name: string; sure: boolean } | undefined => {
    let doubt: { name: string; sure: boolean } | undefined;
    let index = 0;
    let moved = false;
    for (const { end, name, sure, ofPrevious } of segments) {
      let same = true;
      // The entries of a dict that grew lie elsewhere now: the runner compares them name by name.
      if (!(ofPrevious && moved)) {
        for (; index < end && same; index++) same = memory[addresses[index]!] === expected[index];
      }
      if (!same && sure) return { name, sure };
      if (!same) doubt ??= { name, sure };
      moved = !same;
      index = end;
    }
    return doubt;
  };

  const code = (watch.code + CELL) >>> 2;
  let text = heap()[code]!;
  rearm();
  return {
    rearm,
    compiled: () => {
      text = heap()[code]!;
    },
    changed: () => {
      const memory = heap();
      if (memory[code] !== text) return { name: 'the runner', sure: true };
      return unchanged(memory) ? undefined : culprit(memory);
    },
  };
}
