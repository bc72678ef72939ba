import { createHash } from 'node:crypto';
import { isError } from '#shared/task/errors.ts';
import type { ArtifactRef, Artifacts } from './ports.ts';

/** The reference of an object that is there. Its hash is the one its writer stored, else it is read. @throws NotFound */
export async function refOf(artifacts: Artifacts, key: string): Promise<ArtifactRef> {
  const { sha256, bytes } = await artifacts.head(key);
  if (sha256 !== undefined) return { key, sha256, bytes };
  const hash = createHash('sha256');
  const { body } = await artifacts.get(key);
  for await (const chunk of body) hash.update(chunk);
  return { key, sha256: hash.digest('hex'), bytes };
}

/** The same, undefined where there is no object. */
export async function refIfAny(artifacts: Artifacts, key: string): Promise<ArtifactRef | undefined> {
  try {
    return await refOf(artifacts, key);
  } catch (error) {
    if (isError(error, 'NotFound')) return undefined;
    throw error;
  }
}
