import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { PresignOptions } from '../ports.ts';
import { keyProblem } from '../keys.ts';

/** What a presigned address of the embedded platform allows. */
export interface PresignedGrant {
  method: 'GET' | 'PUT';
  bucket: string;
  key: string;
  /** Seconds since the epoch. */
  expires: number;
  contentType?: string;
  /** The exact size of the upload. */
  bytes?: number;
  sha256?: string;
}

const ROUTE = '/objects/';

/** The data directory's signing secret (32 bytes, readable by its owner only); made when first asked for. */
export function presignSecret(dataDir: string): Buffer {
  const path = join(dataDir, 'presign.key');
  if (!fs.existsSync(path)) {
    const temp = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
    fs.writeFileSync(temp, randomBytes(32), { mode: 0o600, flag: 'wx' });
    try {
      // Of several processes at once, the first link decides.
      fs.linkSync(temp, path);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
    } finally {
      fs.rmSync(temp, { force: true });
    }
  }
  return fs.readFileSync(path);
}

const encodePath = (key: string): string => key.split('/').map(encodeURIComponent).join('/');

function parametersOf(grant: PresignedGrant): URLSearchParams {
  const parameters = new URLSearchParams({ method: grant.method, expires: String(grant.expires) });
  if (grant.contentType !== undefined) parameters.set('contentType', grant.contentType);
  if (grant.bytes !== undefined) parameters.set('bytes', String(grant.bytes));
  if (grant.sha256 !== undefined) parameters.set('sha256', grant.sha256);
  return parameters;
}

function signatureOf(secret: Uint8Array, grant: PresignedGrant): string {
  const signed = JSON.stringify([grant.bucket, grant.key, parametersOf(grant).toString()]);
  return createHmac('sha256', secret).update(signed).digest('hex');
}

/** The address (a path and query of the gateway) that grants one request on one object, and the headers it must carry. */
export function presignObject(
  secret: Uint8Array,
  bucket: string,
  key: string,
  options: PresignOptions,
  nowSeconds: number,
): { url: string; headers: Record<string, string> } {
  const grant: PresignedGrant = {
    method: options.method,
    bucket,
    key,
    expires: nowSeconds + options.expiresSeconds,
  };
  const headers: Record<string, string> = {};
  if (options.method === 'PUT') {
    if (options.contentType !== undefined) headers['content-type'] = grant.contentType = options.contentType;
    if (options.bytes !== undefined) grant.bytes = options.bytes;
    if (options.sha256 !== undefined) {
      grant.sha256 = options.sha256;
      headers['x-amz-checksum-sha256'] = Buffer.from(options.sha256, 'hex').toString('base64');
    }
  }
  const parameters = parametersOf(grant);
  parameters.set('signature', signatureOf(secret, grant));
  return { url: `${ROUTE}${bucket}/${encodePath(key)}?${parameters.toString()}`, headers };
}

/**
 * The grant of a request's path and query, or why there is none (`malformed`, `expired`, `forbidden`). Signatures are
 * compared in constant time.
 */
export function verifyPresigned(
  secret: Uint8Array,
  method: string,
  url: URL,
  nowSeconds: number,
): PresignedGrant | 'malformed' | 'expired' | 'forbidden' {
  const match = /^\/objects\/([^/]+)\/(.+)$/.exec(url.pathname);
  const query = url.searchParams;
  const expires = Number(query.get('expires'));
  const granted = query.get('method');
  if (!match || !Number.isSafeInteger(expires) || (granted !== 'GET' && granted !== 'PUT'))
    return 'malformed';
  let key: string;
  try {
    key = decodeURIComponent(match[2]!);
  } catch {
    return 'malformed';
  }
  if (keyProblem(key) !== undefined) return 'malformed';
  const bytes = query.get('bytes');
  const grant: PresignedGrant = { method: granted, bucket: match[1]!, key, expires };
  if (query.has('contentType')) grant.contentType = query.get('contentType')!;
  if (bytes !== null) grant.bytes = Number(bytes);
  if (query.has('sha256')) grant.sha256 = query.get('sha256')!;

  const expected = Buffer.from(signatureOf(secret, grant));
  const given = Buffer.from(query.get('signature') ?? '');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'forbidden';
  if (method !== granted && !(method === 'HEAD' && granted === 'GET')) return 'forbidden';
  return nowSeconds >= expires ? 'expired' : grant;
}
