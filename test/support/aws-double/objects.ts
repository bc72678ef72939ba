import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { AwsFault } from './types.ts';

/** Buckets and objects by path-style addresses: what publishing assets needs of S3. */
export class Objects {
  readonly buckets = new Map<string, Map<string, Buffer>>();
  private readonly uploads = new Map<string, Buffer[]>();

  get(bucket: string, key: string): Buffer | undefined {
    return this.buckets.get(bucket)?.get(key);
  }

  private bucket(name: string): Map<string, Buffer> {
    const found = this.buckets.get(name);
    if (!found) throw new AwsFault('NoSuchBucket', `The specified bucket does not exist: ${name}`, 404);
    return found;
  }

  /** Answers one request; the body is what came. */
  handle(
    request: IncomingMessage,
    url: URL,
    body: Buffer,
  ): { status?: number; headers?: Record<string, string>; body?: string | Buffer } {
    const [, bucketName = '', ...rest] = decodeURIComponent(url.pathname).split('/');
    const key = rest.join('/');
    const bucket = this.bucket(bucketName);
    const has = (name: string): boolean => url.searchParams.has(name);
    const etag = (bytes: Buffer): string => `"${createHash('md5').update(bytes).digest('hex')}"`;
    const { method } = request;
    if (key === '') {
      if (has('location')) return { body: '<LocationConstraint>eu-west-1</LocationConstraint>' };
      if (has('encryption')) {
        return {
          body: '<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>',
        };
      }
      if (url.searchParams.get('list-type') === '2') {
        const prefix = url.searchParams.get('prefix') ?? '';
        const found = [...bucket.keys()].filter((name) => name.startsWith(prefix)).sort();
        const contents = found.map(
          (name) => `<Contents><Key>${name}</Key><Size>${bucket.get(name)!.length}</Size></Contents>`,
        );
        return {
          body: `<ListBucketResult><KeyCount>${found.length}</KeyCount>${contents.join('')}</ListBucketResult>`,
        };
      }
      if (method === 'HEAD') return {};
    } else if (method === 'POST' && has('uploads')) {
      const id = `upload-${this.uploads.size + 1}`;
      this.uploads.set(id, []);
      return {
        body: `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      };
    } else if (method === 'PUT' && has('partNumber')) {
      this.uploads.get(url.searchParams.get('uploadId')!)![Number(url.searchParams.get('partNumber')) - 1] =
        body;
      return { headers: { ETag: etag(body) } };
    } else if (method === 'POST' && has('uploadId')) {
      const bytes = Buffer.concat(this.uploads.get(url.searchParams.get('uploadId')!)!);
      bucket.set(key, bytes);
      return {
        body: `<CompleteMultipartUploadResult><Key>${key}</Key><ETag>${etag(bytes)}</ETag></CompleteMultipartUploadResult>`,
      };
    } else if (method === 'PUT') {
      bucket.set(key, body);
      return { headers: { ETag: etag(body) } };
    } else if (method === 'GET' || method === 'HEAD') {
      const bytes = bucket.get(key);
      if (!bytes) throw new AwsFault('NoSuchKey', `The specified key does not exist: ${key}`, 404);
      return { headers: { ETag: etag(bytes) }, ...(method === 'GET' ? { body: bytes } : {}) };
    }
    throw new AwsFault('NotImplemented', `${method} ${url.pathname}${url.search}`, 501);
  }
}

/** The bytes of a body in `aws-chunked` encoding: `<hex size>[;…]\r\n<bytes>\r\n`, ended by a chunk of no bytes. */
export function unchunk(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const line = body.indexOf('\r\n', at);
    const size = parseInt(body.toString('latin1', at, line), 16);
    if (!(size > 0)) return Buffer.concat(parts);
    parts.push(body.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}
