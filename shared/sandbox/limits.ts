/** Bounds of the sandbox (specification tool-library, section 7). Sizes in bytes unless named otherwise. */
export const LIMITS = {
  /** A request's code and set-up together. */
  codeBytes: 64 * 1024,
  /** A result's value as JSON text. */
  valueBytes: 64 * 1024,
  /** What a run may print; more is dropped. */
  stdoutBytes: 16 * 1024,
  messageChars: 2_000,
  timeoutMs: { min: 1, max: 300_000 },
  memoryMb: { min: 64, max: 1_024 },
  /** Runs of one child before it is replaced: what leaks stays small. */
  casesPerChild: 5_000,
  /** A child that has been computing this long is replaced, well before the processor time it is allowed. */
  busyMsPerChild: 600_000,
  cpuSecondsPerChild: 1_800,
  /** Beyond the interpreter's own memory: Node, the compiled WebAssembly, the standard library. */
  processMb: 640,
  watchdogMs: 50,
  /** One line of a child: value and output, escaped, with room to spare. */
  lineBytes: 1024 * 1024,
  /** One line of our own program. */
  programLineBytes: 256 * 1024 * 1024,
  bootMs: 60_000,
} as const;
