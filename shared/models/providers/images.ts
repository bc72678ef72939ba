import type { Artifacts } from '#shared/storage/ports.ts';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { isError } from '#shared/task/errors.ts';
import type { InferRequest } from '../types.ts';
import { unsent } from './errors.ts';

/** The largest image a request may carry. */
export const MAX_IMAGE_BYTES = 10 * 1024 * 1024;

/**
 * Data URLs of a request's images by artifact key; the bytes must be the ones the request names.
 * @throws ProviderError BAD_REQUEST on a missing, oversize or changed image.
 */
export async function inlineImages(
  request: InferRequest,
  artifacts: Artifacts,
): Promise<Map<string, string>> {
  const urls = new Map<string, string>();
  for (const { content } of request.messages) {
    if (typeof content === 'string') continue;
    for (const part of content) {
      if (part.type !== 'image' || urls.has(part.key)) continue;
      if (!/^image\/[\w.+-]+$/.test(part.mime))
        throw unsent('BAD_REQUEST', `The image ${part.key} is of no image type.`);
      const bytes = await read(part.key, artifacts);
      if (sha256Hex(bytes) !== part.sha256) {
        throw unsent(
          'BAD_REQUEST',
          `The image ${part.key} is not the one the request names: its SHA-256 differs.`,
        );
      }
      urls.set(part.key, `data:${part.mime};base64,${bytes.toString('base64')}`);
    }
  }
  return urls;
}

async function read(key: string, artifacts: Artifacts): Promise<Buffer> {
  try {
    const object = await artifacts.get(key);
    if (object.bytes > MAX_IMAGE_BYTES)
      throw unsent('BAD_REQUEST', `The image ${key} is larger than 10 MiB.`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of object.body) chunks.push(chunk);
    return Buffer.concat(chunks);
  } catch (error) {
    if (isError(error, 'NotFound') || isError(error, 'InvalidInput')) {
      throw unsent('BAD_REQUEST', `The image ${key} cannot be read.`, error);
    }
    throw error;
  }
}
