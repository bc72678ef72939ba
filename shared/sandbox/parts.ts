/** The files of a snapshot's folder. */
export const PARTS = {
  /** The interpreter's memory (heap.ts). */
  heap: 'heap',
  /** Pyodide's scripts as one (program.ts), ASCII, and the engine's code of it. */
  program: 'program.js',
  code: 'program.code',
  /** The child's own modules as JavaScript, where they are not that already. */
  modules: 'modules',
  /** SHA-256 of each of the others. */
  hashes: 'hashes.json',
} as const;

/** Random bytes, on systems that have such a file; children may read it. */
export const RANDOM_FILE = '/dev/urandom';
