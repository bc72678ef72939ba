/**
 * An interpreter's memory in a file, without the parts that are all zero (two fifths of it), read straight into the
 * memory of a new interpreter. The file: counts (32-bit words), the runs of blocks that are there, Pyodide's own
 * header of the snapshot, the runs' bytes.
 */

// Not imported: an import of `node:fs` would load its streams and promises into every child.
const { closeSync, openSync, readSync } = process.getBuiltinModule('node:fs');

const BLOCK = 65_536;
const ZEROS = Buffer.alloc(BLOCK);
const WORD = 4;
/** Words before the runs: their number, the memory's bytes, the header's bytes. */
const COUNTS = 3;
/** Where a snapshot of Pyodide says how long its header is, in words. */
const HEADER_AT = 1;

const isZero = (block: Buffer): boolean =>
  block.equals(block.length === BLOCK ? ZEROS : ZEROS.subarray(0, block.length));

/** A snapshot of Pyodide as the pieces of such a file. */
export function packHeap(snapshot: Buffer): Buffer[] {
  const header = snapshot.subarray(0, snapshot.readUInt32LE(HEADER_AT * WORD));
  const memory = snapshot.subarray(header.length);
  const runs: { from: number; to: number }[] = [];
  for (let at = 0; at < memory.length; at += BLOCK) {
    const to = Math.min(at + BLOCK, memory.length);
    if (isZero(memory.subarray(at, to))) continue;
    const last = runs.at(-1);
    if (last?.to === at) last.to = to;
    else runs.push({ from: at, to });
  }
  const words = [runs.length, memory.length, header.length, ...runs.flatMap(({ from, to }) => [from, to])];
  const counts = Buffer.alloc(words.length * WORD);
  words.forEach((word, index) => counts.writeUInt32LE(word, index * WORD));
  return [counts, header, ...runs.map(({ from, to }) => memory.subarray(from, to))];
}

/** A memory in a file, opened. */
export interface StoredHeap {
  /** Pyodide's header, followed by no memory. */
  header: Uint8Array;
  /** What a memory needs to hold. */
  bytes: number;
  /** Makes a memory what the file says; once. */
  restore(memory: ArrayBuffer): void;
}

/** Opens such a file. @throws Error when it is cut short. */
export function openHeap(path: string): StoredHeap {
  const file = openSync(path, 'r');
  let at = 0;
  const fill = (bytes: Uint8Array): void => {
    for (let done = 0; done < bytes.length;) {
      const size = readSync(file, bytes, done, bytes.length - done, at);
      if (size === 0) throw new Error('the stored memory of the interpreter is cut short');
      done += size;
      at += size;
    }
  };
  const words = (count: number): Uint32Array => {
    const read = new Uint32Array(count);
    fill(new Uint8Array(read.buffer));
    return read;
  };
  const [count, bytes, headerBytes] = words(COUNTS) as unknown as [number, number, number];
  const runs = words(2 * count);
  const header = new Uint8Array(headerBytes);
  fill(header);
  return {
    header,
    bytes,
    restore: (memory) => {
      /** Zero in the file; a new memory is that for the most part, and what is not touched costs nothing. */
      const clear = (from: number, to: number): void => {
        for (let block = from; block < to; block += BLOCK) {
          const view = Buffer.from(memory, block, Math.min(BLOCK, to - block));
          if (!isZero(view)) view.fill(0);
        }
      };
      let end = 0;
      for (let run = 0; run < runs.length; run += 2) {
        const from = runs[run]!;
        clear(end, from);
        end = runs[run + 1]!;
        fill(new Uint8Array(memory, from, end - from));
      }
      clear(end, bytes);
      closeSync(file);
    },
  };
}
