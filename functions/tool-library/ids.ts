import { hashOf } from '#shared/determinism/hash.ts';
import type { Json } from '#shared/storage/ports.ts';

/** Ids of records (section 3): the first 16 hex digits of the SHA-256 of canonical JSON, with the record's letter. */

const id = (letter: string, content: unknown): string => `${letter}_${hashOf(content).slice(0, 16)}`;

export const problemId = (question: string, answer: Json): string => id('p', [question, answer]);
/** @param code the tree unparsed, before any renaming. */
export const toolId = (code: string, entry: string): string => id('t', [code, entry]);
export const caseId = (tool: string, setup: string | undefined, call: string, expected: Json): string =>
  id('c', [tool, setup ?? null, call, expected]);
