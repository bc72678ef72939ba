import type { Artifacts, Json } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';
import { serviceError } from './errors.ts';

export type ArtifactsOf = (bucket: string) => Artifacts;

/** Bodies beyond this cannot be a state's result, so they are not read into memory. */
const MAX_BODY_BYTES = 1024 * 1024;

/** `aws-sdk:s3:getObject`: the whole body as text. */
export async function getObject(
  args: { [key: string]: Json },
  artifactsOf: ArtifactsOf,
  requestId: string,
): Promise<{ [key: string]: Json }> {
  return translated(requestId, async () => {
    const object = await artifactsOf(String(args['Bucket'])).get(String(args['Key']));
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of object.body) {
      chunks.push(chunk);
      bytes += chunk.byteLength;
      if (bytes > MAX_BODY_BYTES) break;
    }
    return {
      Body: Buffer.concat(chunks).toString('utf8'),
      ContentLength: object.bytes,
      ContentType: object.contentType ?? 'binary/octet-stream',
      ETag: `"${object.etag.replaceAll('"', '')}"`,
    };
  });
}

/** `aws-sdk:s3:putObject`: a body that is no text is written as JSON text. */
export async function putObject(
  args: { [key: string]: Json },
  artifactsOf: ArtifactsOf,
  requestId: string,
): Promise<{ [key: string]: Json }> {
  return translated(requestId, async () => {
    const { Bucket: bucket, Key: key, Body: body = '', ContentType: contentType } = args;
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const { etag } = await artifactsOf(String(bucket)).put(String(key), text, {
      ...(typeof contentType === 'string' ? { contentType } : {}),
    });
    return { ETag: `"${etag.replaceAll('"', '')}"` };
  });
}

async function translated<T>(requestId: string, body: () => Promise<T>): Promise<T> {
  const end = (status: number): string =>
    `(Service: S3, Status Code: ${status}, Request ID: ${requestId}, Extended Request ID: ${requestId})`;
  try {
    return await body();
  } catch (error) {
    if (isError(error, 'NotFound')) {
      throw error.data['code'] === 'NoSuchBucket'
        ? serviceError('S3.NoSuchBucketException', `The specified bucket does not exist ${end(404)}`)
        : serviceError('S3.NoSuchKeyException', `The specified key does not exist. ${end(404)}`);
    }
    if (isError(error)) throw serviceError('S3.S3Exception', `${error.message} ${end(400)}`);
    throw error;
  }
}
