import { hashOf } from '#shared/determinism/hash.ts';
import type { Question } from './types.ts';

/** `h` of the specification: the first 16 hex digits of the SHA-256 of the canonical JSON of the given values. */
export const shortHash = (...content: unknown[]): string => hashOf(content).slice(0, 16);

/** `q-` + h(kind, text): equal questions have one id. */
export const questionId = (kind: Question['kind'], text: string): string => `q-${shortHash(kind, text)}`;
