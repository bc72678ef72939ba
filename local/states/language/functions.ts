import { createHash, randomUUID } from 'node:crypto';
import { MAX_EVALUATION_BYTES } from './limits.ts';
import { MEMORY_EXCEEDED } from './bounds.ts';

/**
 * The functions the service adds to JSONata or replaces (embedded-platform section 2). `this.environment` is the
 * calling frame; values of the evaluation at hand are looked up there, so one compiled expression serves all.
 */
export interface Focus {
  environment: { lookup(name: string): unknown };
  input: unknown;
}

/** Names of the evaluation's own values in the frame; no expression can spell them. */
export const NOW = ' now';
export const ENTROPY = ' entropy';

/** Where `$random()` and `$uuid()` get their values. */
export interface Entropy {
  /** Uniform in [0, 1). */
  random(): number;
  /** A version 4 UUID. */
  uuid(): string;
}

export const systemEntropy: Entropy = { random: () => Math.random(), uuid: () => randomUUID() };

const ALGORITHMS: Record<string, string> = {
  MD5: 'md5',
  'SHA-1': 'sha1',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};

/** An array that JSONata treats as its own sequence: of one element it is that element, of none it is undefined. */
export function sequenceOf<T>(values: T[]): T[] {
  Object.defineProperty(values, 'sequence', { enumerable: false, value: true });
  return values;
}

/** `$partition(array, size)`: chunks of `size`, truncated towards zero; sizes below 1 give undefined. */
export function partition(array: unknown[] | undefined, size: number | undefined): unknown[][] | undefined {
  if (array === undefined || size === undefined) return undefined;
  const length = Math.trunc(size);
  if (!(length >= 1)) return undefined;
  const chunks: unknown[][] = [];
  for (let at = 0; at < array.length; at += length) chunks.push(array.slice(at, at + length));
  return chunks;
}

/** `$range(first, last, step)`, inclusive; parts truncate towards zero; a step of 0 or away from `last` is undefined. */
export function range(first?: number, last?: number, step?: number): number[] | undefined {
  if (first === undefined || last === undefined || step === undefined) return undefined;
  const [from, to, by] = [Math.trunc(first), Math.trunc(last), Math.trunc(step)];
  if (by === 0 || (from !== to && Math.sign(by) !== Math.sign(to - from))) return undefined;
  const count = Math.floor((to - from) / by) + 1;
  if (!(count * 8 <= MAX_EVALUATION_BYTES)) throw { message: MEMORY_EXCEEDED };
  return sequenceOf(Array.from({ length: count }, (_, index) => from + index * by));
}

/** `$hash(text, algorithm)`: lower-case hex digest of the UTF-8 text. */
export function hash(text: string | undefined, algorithm: string | undefined): string | undefined {
  if (text === undefined || algorithm === undefined) return undefined;
  const name = Object.hasOwn(ALGORITHMS, algorithm) ? ALGORITHMS[algorithm] : undefined;
  if (name === undefined) {
    const known = Object.keys(ALGORITHMS).join(', ');
    throw { message: `Unsupported hash algorithm '${algorithm}': expected one of ${known}` };
  }
  return createHash(name).update(text, 'utf8').digest('hex');
}

/** `$parse(text)`: the JSON value of a text. */
export function parse(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw { message: `Failed to parse the text as JSON: ${(error as Error).message}` };
  }
}

/** `$random(seed?)` in [0, 1): equal seeds give equal numbers, the service's own. */
export function random(this: Focus, seed: number | undefined): number {
  if (seed !== undefined) return firstRandom(seed);
  return (this.environment.lookup(ENTROPY) as Entropy).random();
}

const MULTIPLIER = 0x5deece66dn;
const MASK = (1n << 48n) - 1n;

/** The first double of the 48-bit linear congruential generator of java.util.Random, whose algorithm is documented. */
export function firstRandom(seed: number): number {
  let state = (BigInt.asIntN(64, BigInt(Number.isFinite(seed) ? Math.trunc(seed) : 0)) ^ MULTIPLIER) & MASK;
  const bits = (count: bigint): number => {
    state = (state * MULTIPLIER + 0xbn) & MASK;
    return Number(state >> (48n - count));
  };
  return (bits(26n) * 2 ** 27 + bits(27n)) / 2 ** 53;
}

/** `$uuid()`: a version 4 UUID. */
export function uuid(this: Focus): string {
  return (this.environment.lookup(ENTROPY) as Entropy).uuid();
}

/** `$millis()`: the engine clock. */
export function millis(this: Focus): number {
  return this.environment.lookup(NOW) as number;
}

/** `$now(picture?, timezone?)`: the engine clock as text, formatted by JSONata's own `$fromMillis`. */
export function now(this: Focus, picture?: string, timezone?: string): unknown {
  const fromMillis = this.environment.lookup('fromMillis') as {
    implementation: (...parts: unknown[]) => unknown;
  };
  return fromMillis.implementation.call(this, this.environment.lookup(NOW), picture, timezone);
}
