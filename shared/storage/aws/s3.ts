import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { Clock } from '#shared/determinism/clock.ts';
import { invalidInput, isError, notFound, storageUnavailable } from '#shared/task/errors.ts';
import { checkKey, compareUtf8, printable } from '../keys.ts';
import { checkPresign, checkPutOptions, checkRange } from '../object-rules.ts';
import type {
  ArtifactBody,
  ArtifactHead,
  Artifacts,
  Body,
  ListOptions,
  ListPage,
  PresignOptions,
  PutOptions,
  PutResult,
} from '../ports.ts';
import { awsError, calling, serviceErrorName } from './errors.ts';
import { spool, type Spooled } from './spool.ts';

const MAX_PUT_BYTES = 5 * 1024 ** 3;
/** S3 answers 409 while another conditional write of the key is under way: the outcome is known a moment later. */
const MAX_ATTEMPTS = 4;

const unquoted = (etag: string | undefined): string => (etag ?? '').replace(/^"|"$/g, '');
const base64Of = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');

interface ObjectAnswer {
  ETag?: string | undefined;
  LastModified?: Date | undefined;
  ChecksumSHA256?: string | undefined;
  ContentType?: string | undefined;
  Metadata?: Record<string, string> | undefined;
  VersionId?: string | undefined;
}

function headOf(key: string, bytes: number, answer: ObjectAnswer): ArtifactHead {
  // The checksum of a multipart upload is of its parts' checksums (`…-n`) and says nothing of the content.
  const checksum = /^[A-Za-z0-9+/]{43}=$/.test(answer.ChecksumSHA256 ?? '')
    ? answer.ChecksumSHA256
    : undefined;
  return {
    key,
    bytes,
    etag: unquoted(answer.ETag),
    modified: answer.LastModified?.getTime() ?? 0,
    metadata: answer.Metadata ?? {},
    ...(checksum === undefined ? {} : { sha256: Buffer.from(checksum, 'base64').toString('hex') }),
    ...(answer.ContentType === undefined ? {} : { contentType: answer.ContentType }),
    ...(answer.VersionId === undefined ? {} : { versionId: answer.VersionId }),
  };
}

/** The tag by which a workflow's retention rules tell work from outputs (infra-api-cli section 3). */
function keepTag(key: string): Record<string, string> {
  const job = /^jobs\/[^/]+\/(output\/)?/.exec(key);
  return job ? { keep: job[1] ? 'output' : 'work' } : {};
}

/** The artifacts port on one S3 bucket. Etags are without quotes, as in object-created events. */
export class S3Artifacts implements Artifacts {
  readonly bucket: string;
  readonly #client: S3Client;
  readonly #clock: Clock;

  constructor(bucket: string, client: S3Client, clock: Clock) {
    this.bucket = bucket;
    this.#client = client;
    this.#clock = clock;
  }

  #what(operation: string, key: string): string {
    return `S3 ${operation} ${this.bucket}/${printable(key)}`;
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<PutResult> {
    checkKey(key);
    checkPutOptions(options);
    const spooled = await spool(body);
    try {
      if (spooled.bytes > MAX_PUT_BYTES)
        throw invalidInput(`"${printable(key)}" has more than 5 GiB: write it in shards.`);
      return await this.#put(key, spooled, options);
    } finally {
      await spooled.discard();
    }
  }

  async #put(key: string, spooled: Spooled, options: PutOptions): Promise<PutResult> {
    const tags = new URLSearchParams({ ...keepTag(key), ...options.tags }).toString();
    for (let attempt = 1; ; attempt++) {
      const command = new PutObjectCommand({
        Bucket: this.bucket,
        Key: key,
        Body: spooled.content(),
        ContentLength: spooled.bytes,
        ChecksumSHA256: base64Of(spooled.sha256),
        ContentType: options.contentType,
        Metadata: options.metadata,
        Tagging: tags === '' ? undefined : tags,
        IfNoneMatch: options.ifAbsent ? '*' : undefined,
        IfMatch: options.ifMatch === undefined ? undefined : `"${options.ifMatch}"`,
      });
      try {
        const { ETag } = await this.#client.send(command);
        return { etag: unquoted(ETag), sha256: spooled.sha256, bytes: spooled.bytes };
      } catch (error) {
        const mapped = awsError(error, this.#what('PutObject', key));
        const racing = serviceErrorName(error) === 'ConditionalRequestConflict';
        // The SDK sends bytes again by itself, but never a stream: it cannot rewind one.
        const interrupted = spooled.inFile && isError(mapped, 'StorageUnavailable');
        if (!(racing || interrupted) || attempt === MAX_ATTEMPTS) throw mapped;
        await this.#clock.sleep(50 * 2 ** attempt);
      }
    }
  }

  async get(key: string, options: { range?: { start: number; end?: number } } = {}): Promise<ArtifactBody> {
    checkKey(key);
    const { range } = options;
    if (range) checkRange(range);
    const what = this.#what('GetObject', key);
    const answer = await calling(what, () =>
      this.#client.send(
        new GetObjectCommand({
          Bucket: this.bucket,
          Key: key,
          Range: range && `bytes=${range.start}-${range.end === undefined ? '' : range.end - 1}`,
          // Makes the SDK compare the body with the stored checksum; of a part there is none.
          ChecksumMode: range ? undefined : 'ENABLED',
        }),
      ),
    );
    const total = /\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1];
    const bytes = total === undefined ? (answer.ContentLength ?? 0) : Number(total);
    return {
      ...headOf(key, bytes, answer),
      body: whole(answer.Body as AsyncIterable<Uint8Array> | undefined, answer.ContentLength, what),
    };
  }

  async head(key: string): Promise<ArtifactHead> {
    checkKey(key);
    const answer = await calling(this.#what('HeadObject', key), () =>
      this.#client.send(new HeadObjectCommand({ Bucket: this.bucket, Key: key, ChecksumMode: 'ENABLED' })),
    ).catch((error: unknown) => {
      // HEAD answers carry no body, so not even an error's name.
      throw isError(error, 'NotFound')
        ? notFound(`There is no object "${printable(key)}" in ${this.bucket}.`)
        : error;
    });
    return headOf(key, answer.ContentLength ?? 0, answer);
  }

  async list(options: ListOptions = {}): Promise<ListPage> {
    const { prefix, delimiter, after, limit = 1000 } = options;
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
      throw invalidInput(`A listing's limit is 1 to 1000, not ${String(limit)}.`);
    }
    // After a group comes what follows all of its keys.
    const grouped = delimiter !== undefined && delimiter !== '' && after?.endsWith(delimiter);
    const answer = await calling(this.#what('ListObjectsV2', prefix ?? ''), () =>
      this.#client.send(
        new ListObjectsV2Command({
          Bucket: this.bucket,
          Prefix: prefix,
          Delimiter: delimiter === '' ? undefined : delimiter,
          StartAfter: grouped ? `${after}\u{10ffff}` : after,
          MaxKeys: limit,
        }),
      ),
    );
    const objects = (answer.Contents ?? []).map((object) => ({
      key: object.Key!,
      etag: unquoted(object.ETag),
      bytes: object.Size ?? 0,
      modified: object.LastModified?.getTime() ?? 0,
    }));
    const groups = (answer.CommonPrefixes ?? []).map((group) => group.Prefix!);
    const last = [...objects.slice(-1).map(({ key }) => key), ...groups.slice(-1)].sort(compareUtf8).at(-1);
    return {
      objects,
      prefixes: groups.filter((group) => after === undefined || compareUtf8(group, after) > 0),
      ...(answer.IsTruncated && last !== undefined ? { next: last } : {}),
    };
  }

  async copy(from: string, to: string): Promise<PutResult> {
    checkKey(from);
    checkKey(to);
    const source = `${this.bucket}/${from.split('/').map(encodeURIComponent).join('/')}`;
    const answer = await calling(this.#what('CopyObject', from), () =>
      this.#client.send(
        new CopyObjectCommand({
          Bucket: this.bucket,
          Key: to,
          CopySource: source,
          ChecksumAlgorithm: 'SHA256',
          // Tags are those of the place, as for a put; copying the source's would ask for leave to read them.
          TaggingDirective: 'REPLACE',
          Tagging: new URLSearchParams(keepTag(to)).toString(),
        }),
      ),
    );
    const { bytes, ...head } = await this.head(to);
    const checksum = answer.CopyObjectResult?.ChecksumSHA256;
    const sha256 = checksum === undefined ? head.sha256 : Buffer.from(checksum, 'base64').toString('hex');
    if (sha256 === undefined)
      throw storageUnavailable(`${this.#what('CopyObject', from)}: the store gave no SHA-256.`);
    return { etag: unquoted(answer.CopyObjectResult?.ETag) || head.etag, sha256, bytes };
  }

  async delete(key: string): Promise<void> {
    checkKey(key);
    await calling(this.#what('DeleteObject', key), () =>
      this.#client.send(new DeleteObjectCommand({ Bucket: this.bucket, Key: key })),
    );
  }

  async presign(
    key: string,
    options: PresignOptions,
  ): Promise<{ url: string; headers: Record<string, string> }> {
    checkKey(key);
    checkPresign(options);
    const { method, expiresSeconds, contentType, bytes, sha256 } = options;
    const target = { Bucket: this.bucket, Key: key };
    if (method === 'GET') {
      return {
        url: await getSignedUrl(this.#client, new GetObjectCommand(target), { expiresIn: expiresSeconds }),
        headers: {},
      };
    }
    const headers: Record<string, string> = {};
    if (contentType !== undefined) headers['content-type'] = contentType;
    if (sha256 !== undefined) headers['x-amz-checksum-sha256'] = base64Of(sha256);
    const command = new PutObjectCommand({
      ...target,
      ContentType: contentType,
      ContentLength: bytes,
      ChecksumSHA256: headers['x-amz-checksum-sha256'],
    });
    const url = await getSignedUrl(this.#client, command, {
      expiresIn: expiresSeconds,
      // Signed as headers, so that S3 holds the upload to them; as query parameters they would be ignored.
      unhoistableHeaders: new Set(['x-amz-checksum-sha256']),
      signableHeaders: new Set(['host', 'content-type', 'content-length', 'x-amz-checksum-sha256']),
    });
    return { url, headers };
  }
}

/** A body that fails where the connection was cut, instead of ending early. */
async function* whole(
  body: AsyncIterable<Uint8Array> | undefined,
  expected: number | undefined,
  what: string,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  try {
    for await (const chunk of body ?? []) {
      bytes += chunk.byteLength;
      yield chunk;
    }
  } catch (error) {
    // Whatever cut a body short while it was read is the transport's fault.
    throw storageUnavailable(`${what}: the body broke off after ${bytes} bytes.`, { cause: error });
  }
  if (expected !== undefined && bytes !== expected) {
    throw storageUnavailable(`${what}: the body ended after ${bytes} of ${expected} bytes.`);
  }
}
