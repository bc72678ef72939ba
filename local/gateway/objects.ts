import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '#shared/determinism/clock.ts';
import { type PresignedGrant, verifyPresigned } from '#shared/storage/embedded/index.ts';
import type { Artifacts } from '#shared/storage/ports.ts';
import { invalidInput, isError } from '#shared/task/errors.ts';
import { message, send } from './respond.ts';

/** What serves presigned addresses (`/objects/<bucket>/<key>?…`). */
export interface ObjectAccess {
  bucket(name: string): Artifacts;
  /** Of the data directory (`presignSecret`). */
  secret: Uint8Array;
  clock: Clock;
}

export const isObjectPath = (url: string): boolean => url.startsWith('/objects/');

/** Serves one presigned GET, HEAD or PUT; the signature is all the authority it needs. */
export async function serveObject(
  request: IncomingMessage,
  response: ServerResponse,
  access: ObjectAccess,
  extra: Record<string, string>,
): Promise<void> {
  const method = request.method ?? 'GET';
  const url = new URL(request.url ?? '/', 'http://gateway');
  const grant = verifyPresigned(access.secret, method, url, Math.floor(access.clock.now() / 1000));
  const refuse = (status: number, text: string): void =>
    send(response, message(status, text), extra, method !== 'HEAD');
  if (grant === 'malformed') return refuse(400, 'The address is not a presigned one.');
  if (grant === 'expired') return refuse(403, 'The address has expired.');
  if (grant === 'forbidden') return refuse(403, 'The signature does not fit the request.');
  try {
    if (grant.method === 'PUT') await upload(request, response, access, grant, extra);
    else await download(method, response, access, grant, extra);
  } catch (error) {
    if (response.headersSent) response.destroy();
    else if (isError(error, 'NotFound')) refuse(404, 'Not Found');
    else if (isError(error, 'InvalidInput')) refuse(400, error.message);
    else if (isError(error, 'Conflict')) refuse(409, error.message);
    else throw error;
  }
}

async function upload(
  request: IncomingMessage,
  response: ServerResponse,
  access: ObjectAccess,
  grant: PresignedGrant,
  extra: Record<string, string>,
): Promise<void> {
  const type = request.headers['content-type'];
  if (grant.contentType !== undefined && type !== grant.contentType) {
    throw invalidInput(`The upload must have content-type ${grant.contentType}.`);
  }
  const { etag } = await access.bucket(grant.bucket).put(grant.key, checked(request, grant), {
    ...(type === undefined ? {} : { contentType: type }),
  });
  send(response, { status: 200, headers: { etag: `"${etag}"` }, body: '' }, extra, true);
}

/** The upload, failing (so that nothing is stored) when it is not of the granted size and hash. */
async function* checked(body: AsyncIterable<Buffer>, grant: PresignedGrant): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (grant.bytes !== undefined && bytes > grant.bytes) {
      throw invalidInput(`The upload has more than the ${grant.bytes} bytes it was announced with.`);
    }
    hash.update(chunk);
    yield chunk;
  }
  if (grant.bytes !== undefined && bytes !== grant.bytes) {
    throw invalidInput(`The upload has ${bytes} bytes, not the ${grant.bytes} it was announced with.`);
  }
  if (grant.sha256 !== undefined && hash.digest('hex') !== grant.sha256) {
    throw invalidInput('The upload does not have the SHA-256 it was announced with.');
  }
}

async function download(
  method: string,
  response: ServerResponse,
  access: ObjectAccess,
  grant: PresignedGrant,
  extra: Record<string, string>,
): Promise<void> {
  const { body, ...head } = await access.bucket(grant.bucket).get(grant.key);
  const headers = {
    'content-type': head.contentType ?? 'application/octet-stream',
    'content-length': String(head.bytes),
    etag: `"${head.etag}"`,
    // Objects may hold anything; none of it is a page of this origin.
    'content-disposition': 'attachment',
    'content-security-policy': "sandbox; default-src 'none'",
    'x-content-type-options': 'nosniff',
    ...extra,
  };
  response.writeHead(200, headers);
  if (method === 'HEAD') response.end();
  else await pipeline(body, response);
}
