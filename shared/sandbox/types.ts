import type { Json } from '#shared/storage/ports.ts';

/** Running generated Python without trusting it (specification tool-library, section 7). */

/** Packages beyond the standard library that a run may import. */
export type SandboxPackage = 'sympy' | 'mpmath';

export interface SandboxRequest {
  /** Echoed in the result; unique in its batch. */
  id: string;
  language: 'python';
  /** Definitions, executed first; at most 64 KiB. */
  code: string;
  /** Statements between code and call, such as the assignment of arguments. */
  setup?: string;
  /** One expression; its value is the result's. Absent: the value of the last expression statement of `code`, or null. */
  call?: string;
  /** Wall-clock milliseconds of this run, 1..300,000. */
  timeoutMs: number;
  /** Cap of the interpreter's memory in MB, 64..1,024. */
  memoryMb: number;
  /** Seeds `random` before the run. */
  seed: number;
  packages?: SandboxPackage[];
}

/** Errors of the sandbox itself; any other `type` is the name of a Python exception class. */
export type SandboxErrorType =
  | 'Timeout'
  | 'OutOfMemory'
  | 'Crashed'
  | 'NotSerializable'
  | 'PackageUnavailable'
  | 'OutputTooLarge'
  | 'StateTampered';

/**
 * A value as JSON, at most 64 KiB. What JSON cannot say is tagged `{"$": kind, "v": …}`: `tuple`, `set`, `frozenset`
 * and `bytes` (base64) hold values or text, `Fraction` and `complex` pairs of texts, `Decimal`, `int` (beyond 2^53),
 * `float` (`nan`, `inf`, `-inf`), `expr` (symbolic) texts, `dict` pairs where a key is no string. A dict with a key `$`
 * is tagged as `dict` too.
 */
export type SandboxValue = Json;

export interface SandboxError {
  type: SandboxErrorType | (string & {});
  /** At most 2,000 characters. */
  message: string;
  /** Line of `code` (from 1) where the error arose, where known. */
  line?: number;
}

export type SandboxResult =
  | { id: string; ok: true; value: SandboxValue; stdout: string; ms: number }
  | { id: string; ok: false; error: SandboxError; stdout: string; ms: number };

export interface BatchOptions {
  /** One process per unit (shard, cluster, question run): nothing of one unit can touch another. */
  unitId: string;
  /** Children side by side; default one a core. */
  workers?: number;
  signal?: AbortSignal;
}

export interface Sandbox {
  run(request: SandboxRequest, options?: { unitId?: string; signal?: AbortSignal }): Promise<SandboxResult>;
  /** Results in the order of the requests. One run's failure is its result, never the batch's. */
  runBatch(
    requests: Iterable<SandboxRequest> | AsyncIterable<SandboxRequest>,
    options: BatchOptions,
  ): AsyncIterable<SandboxResult>;
  /** Ends every child. */
  close(): Promise<void>;
}

/** Our own Python programs (never tool code) in an interpreter of their own: what reads syntax trees. */
export interface Interpreter {
  /**
   * Calls a function of the program with JSON arguments; its JSON result.
   * @throws Defect with Python's message where the program raises.
   */
  call(name: string, ...args: Json[]): Promise<Json>;
  close(): Promise<void>;
}
