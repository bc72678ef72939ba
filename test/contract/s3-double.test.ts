import type { ServerResponse } from 'node:http';
import { S3Client } from '@aws-sdk/client-s3';
import { afterEach, describe, expect, it } from 'vitest';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { S3Artifacts } from '#shared/storage/aws/s3.ts';
import { writeJsonl } from '#shared/storage/jsonl.ts';
import { bytesOf, failure, localClient, type RecordedRequest, recordingServer, textOf } from './support.ts';

/**
 * The S3 adapter against a double that records what the SDK sends and replays answers: no emulator handles conditional
 * puts well enough to stand in for the service.
 */
type Reply = (request: RecordedRequest, response: ServerResponse) => void;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function double(...replies: Reply[]) {
  let next = 0;
  const server = await recordingServer((request, response) => {
    const reply = replies[Math.min(next++, replies.length - 1)]!;
    reply(request, response);
  });
  const client = new S3Client({
    ...localClient(server.url),
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    maxAttempts: 2,
  });
  closers.push(async () => {
    client.destroy();
    await server.close();
  });
  const sleeps: number[] = [];
  const clock = { now: () => Date.now(), sleep: async (ms: number) => void sleeps.push(ms) };
  return { artifacts: new S3Artifacts('bucket', client, clock), requests: server.requests, sleeps };
}

const ok =
  (headers: Record<string, string> = {}, body: string | Buffer = ''): Reply =>
  (_, response) =>
    void response.writeHead(200, headers).end(body);

const refuse =
  (status: number, code: string): Reply =>
  (request, response) => {
    const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>double</Message></Error>`;
    response
      .writeHead(status, { 'content-type': 'application/xml' })
      .end(request.method === 'HEAD' ? '' : body);
  };

const CHECKSUM = Buffer.from(sha256Hex('hello'), 'hex').toString('base64');

describe('S3 adapter: puts', () => {
  it('sends length, checksum, type, metadata and tags', async () => {
    const { artifacts, requests } = await double(ok({ etag: '"abc"' }));
    const stored = await artifacts.put('a/b c+é', 'hello', {
      contentType: 'text/plain',
      metadata: { origin: 'test' },
      tags: { keep: 'work' },
    });
    expect(stored).toEqual({ etag: 'abc', sha256: sha256Hex('hello'), bytes: 5 });
    expect(requests[0]).toMatchObject({ method: 'PUT', url: '/bucket/a/b%20c%2B%C3%A9?x-id=PutObject' });
    expect(requests[0]!.headers).toMatchObject({
      'content-length': '5',
      'content-type': 'text/plain',
      'x-amz-checksum-sha256': CHECKSUM,
      'x-amz-meta-origin': 'test',
      'x-amz-tagging': 'keep=work',
    });
    expect(requests[0]!.headers).not.toHaveProperty('if-none-match');
    expect(requests[0]!.body.toString()).toBe('hello');
  });

  it('objects of a job carry the tag that retention rules look for', async () => {
    const { artifacts, requests } = await double(ok({ etag: '"abc"' }));
    await artifacts.put('jobs/sample.a/stage/part.jsonl', 'x');
    await artifacts.put('jobs/sample.a/output/data.jsonl', 'x');
    await artifacts.put('cache/ab/key.json', 'x');
    expect(requests.map((request) => request.headers['x-amz-tagging'])).toEqual([
      'keep=work',
      'keep=output',
      undefined,
    ]);
  });

  it('streams of any size are sent plainly, with length and checksum', async () => {
    for (const size of [10, 9_000_000]) {
      const { artifacts, requests } = await double(ok({ etag: '"abc"' }));
      const chunk = Buffer.alloc(size / 10, 'x');
      const stored = await artifacts.put(
        'stream',
        (async function* () {
          for (let n = 0; n < 10; n++) yield chunk;
        })(),
      );
      const sent = requests[0]!;
      expect(sent.body.length).toBe(size);
      expect(sent.headers).toMatchObject({ 'content-length': String(size) });
      expect(sent.headers['x-amz-checksum-sha256']).toBe(
        Buffer.from(stored.sha256, 'hex').toString('base64'),
      );
      expect(stored.sha256).toBe(sha256Hex(sent.body));
    }
  });

  it('if-absent is If-None-Match: *, and 412 a Conflict', async () => {
    const { artifacts, requests } = await double(refuse(412, 'PreconditionFailed'));
    await failure(artifacts.put('k', 'x', { ifAbsent: true }), 'Conflict');
    expect(requests[0]!.headers['if-none-match']).toBe('*');
    expect(requests).toHaveLength(1);
  });

  it('if-match sends the quoted etag; 412 is a Conflict, 404 NotFound', async () => {
    const { artifacts, requests } = await double(refuse(412, 'PreconditionFailed'), refuse(404, 'NoSuchKey'));
    await failure(artifacts.put('k', 'x', { ifMatch: 'abc' }), 'Conflict');
    expect(requests[0]!.headers['if-match']).toBe('"abc"');
    await failure(artifacts.put('k', 'x', { ifMatch: 'abc' }), 'NotFound');
  });

  it('409 of a racing conditional write is tried again, then a Conflict', async () => {
    const once = await double(refuse(409, 'ConditionalRequestConflict'), ok({ etag: '"e"' }));
    expect(await once.artifacts.put('k', 'x', { ifAbsent: true })).toMatchObject({ etag: 'e' });
    expect(once.sleeps).toEqual([100]);
    const always = await double(refuse(409, 'ConditionalRequestConflict'));
    await failure(always.artifacts.put('k', 'x', { ifAbsent: true }), 'Conflict');
    expect(always.requests).toHaveLength(4);
  });

  it('503 is tried again with the whole body, streamed or not, then StorageUnavailable', async () => {
    const once = await double(refuse(503, 'SlowDown'), ok({ etag: '"e"' }));
    const body = (async function* () {
      yield Buffer.alloc(9_000_000, 'y');
    })();
    await once.artifacts.put('k', body);
    expect(once.requests.map((request) => request.body.length)).toEqual([9_000_000, 9_000_000]);
    const small = await double(refuse(503, 'SlowDown'), ok({ etag: '"e"' }));
    await small.artifacts.put('k', 'x');
    expect(small.requests).toHaveLength(2);
    const always = await double(refuse(503, 'SlowDown'));
    await failure(always.artifacts.put('k', 'x'), 'StorageUnavailable');
  });

  it('repeating writeJsonl with equal content finds the reference by the stored checksum', async () => {
    const body = '{"a":1}\n';
    const checksum = Buffer.from(sha256Hex(body), 'hex').toString('base64');
    const { artifacts, requests } = await double(
      refuse(412, 'PreconditionFailed'),
      ok({ etag: '"e"', 'content-length': '8', 'x-amz-checksum-sha256': checksum }),
    );
    expect(await writeJsonl(artifacts, 'r.jsonl', [{ a: 1 }], { ifAbsent: true })).toEqual({
      key: 'r.jsonl',
      sha256: sha256Hex(body),
      bytes: 8,
      count: 1,
    });
    expect(requests[1]).toMatchObject({ method: 'HEAD' });
    expect(requests[1]!.headers['x-amz-checksum-mode']).toBe('ENABLED');
  });
});

describe('S3 adapter: reads', () => {
  const whole = {
    'content-length': '5',
    etag: '"e"',
    'x-amz-checksum-sha256': CHECKSUM,
    'content-type': 'text/plain',
    'x-amz-meta-a': 'b',
  };

  it('a get asks for the checksum and gives what is known', async () => {
    const modified = new Date(1_700_000_000_000);
    const { artifacts, requests } = await double(
      ok({ ...whole, 'last-modified': modified.toUTCString(), 'x-amz-version-id': 'v1' }, 'hello'),
    );
    const { body, ...head } = await artifacts.get('k');
    expect(await textOf(body)).toBe('hello');
    expect(head).toEqual({
      key: 'k',
      etag: 'e',
      bytes: 5,
      sha256: sha256Hex('hello'),
      contentType: 'text/plain',
      metadata: { a: 'b' },
      modified: modified.getTime(),
      versionId: 'v1',
    });
    expect(requests[0]!.headers['x-amz-checksum-mode']).toBe('ENABLED');
  });

  it('a body that is not what its checksum says fails', async () => {
    const { artifacts } = await double(ok(whole, 'jello'));
    const { body } = await artifacts.get('k');
    await failure(bytesOf(body), 'StorageUnavailable');
  });

  it('a body that is cut off fails, and says where', async () => {
    const { artifacts } = await double((_, response) => {
      response.writeHead(200, { 'content-length': '100', etag: '"e"' });
      response.write('hello', () => response.destroy());
    });
    const { body } = await artifacts.get('k');
    expect((await failure(bytesOf(body), 'StorageUnavailable')).message).toContain('GetObject bucket/k');
  });

  it('a range is inclusive on the wire and tells the whole size', async () => {
    const { artifacts, requests } = await double((_, response) => {
      response
        .writeHead(206, { etag: '"e"', 'content-length': '3', 'content-range': 'bytes 2-4/10' })
        .end('234');
    });
    const found = await artifacts.get('k', { range: { start: 2, end: 5 } });
    expect(await textOf(found.body)).toBe('234');
    expect(found.bytes).toBe(10);
    expect(requests[0]!.headers['range']).toBe('bytes=2-4');
    await artifacts.get('k', { range: { start: 7 } });
    expect(requests[1]!.headers['range']).toBe('bytes=7-');
  });

  it.each([
    [304, 'NotModified', 'StorageUnavailable'],
    [403, 'AccessDenied', 'Defect'],
    [404, 'NoSuchKey', 'NotFound'],
    [416, 'InvalidRange', 'InvalidInput'],
    [500, 'InternalError', 'StorageUnavailable'],
    [503, 'SlowDown', 'StorageUnavailable'],
  ] as const)('a get answered %i %s is %s', async (status, code, name) => {
    const { artifacts } = await double(refuse(status, code));
    await failure(artifacts.get('k'), name);
  });

  it('a refused connection is StorageUnavailable', async () => {
    const server = await recordingServer(() => {});
    const client = new S3Client({ ...localClient(server.url), forcePathStyle: true, maxAttempts: 1 });
    await server.close();
    await failure(
      new S3Artifacts('bucket', client, { now: Date.now, sleep: async () => {} }).head('k'),
      'StorageUnavailable',
    );
    client.destroy();
  });

  it('a head of what is missing is NotFound; a multipart checksum is no SHA-256', async () => {
    const { artifacts } = await double(
      refuse(404, ''),
      ok({ etag: '"e-2"', 'x-amz-checksum-sha256': `${CHECKSUM}-2`, 'content-length': '5' }),
    );
    await failure(artifacts.head('k'), 'NotFound');
    expect(await artifacts.head('k')).not.toHaveProperty('sha256');
  });
});

describe('S3 adapter: listing, copying, deleting', () => {
  const page = (inner: string): Reply =>
    ok(
      { 'content-type': 'application/xml' },
      `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>bucket</Name>${inner}</ListBucketResult>`,
    );
  const object = (key: string): string =>
    `<Contents><Key>${key}</Key><ETag>&quot;e&quot;</ETag><Size>3</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>`;
  const group = (prefix: string): string => `<CommonPrefixes><Prefix>${prefix}</Prefix></CommonPrefixes>`;

  it('lists after a key, and gives the last of keys and groups as next', async () => {
    const { artifacts, requests } = await double(
      page(`<IsTruncated>true</IsTruncated>${object('p/a')}${object('p/c')}${group('p/b/')}${group('p/d/')}`),
    );
    expect(await artifacts.list({ prefix: 'p/', delimiter: '/', after: 'p/0', limit: 4 })).toEqual({
      objects: ['p/a', 'p/c'].map((key) => ({
        key,
        etag: 'e',
        bytes: 3,
        modified: Date.parse('2026-01-01'),
      })),
      prefixes: ['p/b/', 'p/d/'],
      next: 'p/d/',
    });
    const query = new URL(requests[0]!.url, 'http://x').searchParams;
    expect(Object.fromEntries(query)).toMatchObject({
      'list-type': '2',
      prefix: 'p/',
      delimiter: '/',
      'start-after': 'p/0',
      'max-keys': '4',
    });
  });

  it('goes on after a group behind all of its keys', async () => {
    const { artifacts, requests } = await double(page(''));
    expect(await artifacts.list({ prefix: 'p/', delimiter: '/', after: 'p/d/' })).toEqual({
      objects: [],
      prefixes: [],
    });
    expect(new URL(requests[0]!.url, 'http://x').searchParams.get('start-after')).toBe('p/d/\u{10ffff}');
  });

  it('copies by the service, with a fresh SHA-256, and reads the size', async () => {
    const { artifacts, requests } = await double(
      ok(
        {},
        `<CopyObjectResult><ETag>"c"</ETag><ChecksumSHA256>${CHECKSUM}</ChecksumSHA256></CopyObjectResult>`,
      ),
      ok({ etag: '"c"', 'content-length': '5' }),
    );
    expect(await artifacts.copy('from é', 'to')).toEqual({ etag: 'c', sha256: sha256Hex('hello'), bytes: 5 });
    expect(requests[0]!.headers).toMatchObject({
      'x-amz-copy-source': 'bucket/from%20%C3%A9',
      'x-amz-checksum-algorithm': 'SHA256',
    });
  });

  it('a copy has the tags of its own place, so that nobody need read those of the source', async () => {
    const copied = ok(
      {},
      `<CopyObjectResult><ChecksumSHA256>${CHECKSUM}</ChecksumSHA256></CopyObjectResult>`,
    );
    const head = ok({ etag: '"c"', 'content-length': '5' });
    const { artifacts, requests } = await double(copied, head, copied, head);
    await artifacts.copy('jobs/w.1/stage/a', 'libraries/l/1/a');
    await artifacts.copy('uploads/a', 'jobs/w.1/output/a');
    const [plain, , tagged] = requests.map(({ headers }) => headers);
    expect(plain!['x-amz-tagging-directive']).toBe('REPLACE');
    expect(plain!['x-amz-tagging'] ?? '').toBe('');
    expect(tagged).toMatchObject({ 'x-amz-tagging-directive': 'REPLACE', 'x-amz-tagging': 'keep=output' });
  });

  it('deletes', async () => {
    const { artifacts, requests } = await double((_, response) => void response.writeHead(204).end());
    await artifacts.delete('k');
    expect(requests[0]).toMatchObject({ method: 'DELETE', url: '/bucket/k?x-id=DeleteObject' });
  });
});

describe('S3 adapter: presigned addresses', () => {
  it('an upload is held to its type, size and SHA-256 by signed headers', async () => {
    const { artifacts } = await double(ok());
    const { url, headers } = await artifacts.presign('u/ä', {
      method: 'PUT',
      expiresSeconds: 300,
      contentType: 'application/pdf',
      bytes: 5,
      sha256: sha256Hex('hello'),
    });
    const { pathname, searchParams } = new URL(url);
    expect(pathname).toBe('/bucket/u/%C3%A4');
    expect(searchParams.get('X-Amz-Expires')).toBe('300');
    expect(searchParams.get('X-Amz-SignedHeaders')!.split(';')).toEqual(
      expect.arrayContaining(['content-length', 'content-type', 'host', 'x-amz-checksum-sha256']),
    );
    expect(headers).toEqual({ 'content-type': 'application/pdf', 'x-amz-checksum-sha256': CHECKSUM });
  });

  it('a download needs no headers', async () => {
    const { artifacts } = await double(ok());
    const { url, headers } = await artifacts.presign('k', { method: 'GET', expiresSeconds: 900 });
    expect(headers).toEqual({});
    expect(new URL(url).searchParams.get('X-Amz-Signature')).toMatch(/^[0-9a-f]{64}$/);
    await failure(artifacts.presign('k', { method: 'GET', expiresSeconds: 0 }), 'InvalidInput');
  });
});
