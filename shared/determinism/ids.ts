import { randomBytes, randomUUID } from 'node:crypto';
import { sha256Hex } from './hash.ts';

/** Makes identifiers that are not content hashes; injected where a test needs them. */
export interface Ids {
  /** A random (version 4) UUID. */
  uuid(): string;
  /** `bits` (a multiple of 8) random bits as lower-case hex. */
  hex(bits: number): string;
}

/** Random digits drawn ahead: the system is asked once for hundreds of ids, not for each. */
const POOL_BYTES = 4096;
let pool = '';
let used = 0;

function randomHex(digits: number): string {
  if (digits > 2 * POOL_BYTES) return randomBytes(digits / 2).toString('hex');
  if (used + digits > pool.length) {
    pool = randomBytes(POOL_BYTES).toString('hex');
    used = 0;
  }
  return pool.slice(used, (used += digits));
}

export const randomIds: Ids = {
  uuid: () => randomUUID(),
  hex: (bits) => randomHex(bits / 4),
};

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** The first 26 base-32 characters (RFC 4648 alphabet, lower case; 130 bits) of a byte string of at least 17 bytes. */
export function base32(bytes: Uint8Array): string {
  let out = '';
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = ((buffer << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += BASE32[(buffer >> bits) & 31];
      if (out.length === 26) return out;
    }
  }
  throw new RangeError('base32() needs at least 17 bytes.');
}

/** A fresh random job id, `<workflow>.<26 base32 characters>` (DESIGN section 9). */
export function newJobId(workflow: string, ids: Ids = randomIds): string {
  return `${workflow}.${base32(Buffer.from(ids.hex(136), 'hex'))}`;
}

/** The job id that the given parts (owner and key, bucket, key and version, ...) always lead to. */
export function derivedJobId(workflow: string, ...parts: string[]): string {
  return `${workflow}.${base32(Buffer.from(hashOfParts(parts), 'hex'))}`;
}

/** Parts with their lengths, so that no two lists of parts run into the same text. */
const hashOfParts = (parts: readonly string[]): string =>
  sha256Hex(parts.map((part) => `${part.length}:${part}`).join(''));

/** The UUID (version 8, RFC 9562 section 5.8: of the maker's own design) that the given parts always lead to. */
export function derivedUuid(...parts: string[]): string {
  const hex = hashOfParts(parts);
  const variant = ((parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

const JOB_ID = /^([a-z][a-z0-9-]{0,31})\.([a-z2-7]{26})$/;

/** The workflow of a well-formed job id, else undefined. */
export function workflowOfJob(jobId: string): string | undefined {
  return JOB_ID.exec(jobId)?.[1];
}
