import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import { invalidInput, isError } from '#shared/task/errors.ts';

/** How jobs name a corpus (specification deep-research, section 2). */

/** An object of the platform's bucket by its key; hash and size are checked where they are given. */
export const InputRefSchema = z.strictObject({
  bucket: z.string().optional(),
  key: z.string().min(1).max(1024),
  sha256: z.string().optional(),
  bytes: z.number().int().min(0).optional(),
  count: z.number().int().min(0).optional(),
});

export type InputRef = z.infer<typeof InputRefSchema>;

export const CorpusSchema = z.strictObject({
  /** JSON Lines of documents. */
  ref: InputRefSchema,
  index: z.enum(['auto', 'lexical', 'hybrid']).default('auto'),
  /** Weight of the cosine in a hybrid score; high weights hurt looking up by name. */
  semanticWeight: z.number().min(0).max(1).default(0.1),
  /** What a document is about: `country`, `person`. */
  entityNoun: z.string().min(1).max(60).default('entry'),
});

/** A reference with hash and size, which people need not give. @throws InvalidInput where there is no such object. */
export async function wholeRef(artifacts: Artifacts, ref: InputRef): Promise<ArtifactRef> {
  const { key } = ref;
  try {
    const head = await artifacts.head(key);
    const sha256 = ref.sha256 ?? head.sha256 ?? (await hashOfObject(artifacts, key));
    return { key, sha256, bytes: ref.bytes ?? head.bytes };
  } catch (error) {
    if (!isError(error, 'NotFound')) throw error;
    throw invalidInput(`There is no corpus "${key}": upload it first.`, {
      problems: [{ pointer: '/corpus/ref/key', code: 'not-found', detail: 'There is no such object.' }],
    });
  }
}

async function hashOfObject(artifacts: Artifacts, key: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of (await artifacts.get(key)).body) hash.update(chunk);
  return hash.digest('hex');
}
