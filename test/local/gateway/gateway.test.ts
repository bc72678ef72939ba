import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { systemClock } from '#shared/determinism/clock.ts';
import { presignSecret } from '#shared/storage/embedded/index.ts';
import { type GatewayOptions, startGateway } from '#local/gateway/index.ts';
import { isAuthorised, isLoopbackHost } from '#local/gateway/guard.ts';
import { headersOf, MalformedRequest, queryOf, targetOf } from '#local/gateway/request-event.ts';
import { routeMatcher } from '#local/gateway/routes.ts';
import { embeddedStore } from '#test/contract/embedded.ts';

type Event = Record<string, never> & {
  body?: string;
  headers: Record<string, string>;
  isBase64Encoded: boolean;
};
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function gateway(handler: (event: Event) => unknown, options: Partial<GatewayOptions> = {}) {
  const started = await startGateway({ port: 0, handler: handler as never, ...options });
  closers.push(started.close);
  return started;
}
const echo = (event: Event): unknown => event;

describe('gateway: events', () => {
  it('[embedded-platform 41] joins repeated query values', async () => {
    const { url } = await gateway(echo);
    const event = (await (await fetch(`${url}/v1/x?a=1&a=2&b=%C3%A9+%2B`)).json()) as Event;
    expect(event['queryStringParameters']).toEqual({ a: '1,2', b: 'é +' });
    expect(event).toMatchObject({
      version: '2.0',
      rawPath: '/v1/x',
      rawQueryString: 'a=1&a=2&b=%C3%A9+%2B',
      isBase64Encoded: false,
    });
    expect(event['requestContext']).toMatchObject({
      http: { method: 'GET', path: '/v1/x', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1' },
      stage: '$default',
    });
  });

  it('lower-cases and joins headers, and takes cookies apart', async () => {
    const { port } = await gateway(echo);
    const text = await raw(
      port,
      'GET / HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\nx-a: 2\r\nCookie: a=b; c=d\r\nConnection: close\r\n\r\n',
    );
    const event = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as Event;
    expect(event.headers).toMatchObject({ 'x-a': '1,2', host: 'localhost' });
    expect(event.headers).not.toHaveProperty('cookie');
    expect(event['cookies']).toEqual(['a=b', 'c=d']);
  });

  it('passes text as it is and bytes as base64', async () => {
    const { url } = await gateway(echo);
    const post = async (type: string, body: Buffer): Promise<Event> =>
      (await (
        await fetch(url, { method: 'POST', headers: { 'content-type': type }, body: new Uint8Array(body) })
      ).json()) as Event;
    expect(await post('application/json', Buffer.from('{"ü":1}'))).toMatchObject({
      body: '{"ü":1}',
      isBase64Encoded: false,
    });
    expect(await post('application/pdf', Buffer.from('%PDF'))).toMatchObject({
      body: 'JVBERg==',
      isBase64Encoded: true,
    });
    expect(await post('application/json', Buffer.from([0xff, 0xfe]))).toMatchObject({
      body: '//4=',
      isBase64Encoded: true,
    });
  });

  it('gives 404 and path parameters by its routes', async () => {
    const { url } = await gateway(echo, { routes: [{ method: 'GET', path: '/v1/jobs/{jobId}' }] });
    const event = (await (await fetch(`${url}/v1/jobs/a%2Eb`)).json()) as Event;
    expect(event).toMatchObject({ routeKey: 'GET /v1/jobs/{jobId}', pathParameters: { jobId: 'a.b' } });
    const missing = await fetch(`${url}/v1/nothing`);
    expect([missing.status, await missing.json()]).toEqual([404, { message: 'Not Found' }]);
    expect((await fetch(`${url}/v1/jobs/x`, { method: 'POST' })).status).toBe(404);
    const match = routeMatcher([
      { method: 'ANY', path: '/f/{proxy+}' },
      { method: 'GET', path: '/f/x' },
    ]);
    expect(match('GET', '/f/x')).toEqual({ routeKey: 'GET /f/x' });
    expect(match('PUT', '/f/a/b')).toEqual({ routeKey: 'ANY /f/{proxy+}', pathParameters: { proxy: 'a/b' } });
  });
});

describe('gateway: answers', () => {
  it('sends status, headers, cookies and bytes', async () => {
    const { url } = await gateway(() => ({
      statusCode: 201,
      headers: { 'Content-Type': 'image/png', 'Access-Control-Allow-Origin': '*', location: '/x' },
      cookies: ['a=1; HttpOnly', 'b=2'],
      body: Buffer.from([1, 2, 3]).toString('base64'),
      isBase64Encoded: true,
    }));
    const answer = await fetch(url);
    expect(answer.status).toBe(201);
    expect(answer.headers.get('content-type')).toBe('image/png');
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    expect(answer.headers.getSetCookie()).toEqual(['a=1; HttpOnly', 'b=2']);
    expect([...new Uint8Array(await answer.arrayBuffer())]).toEqual([1, 2, 3]);
  });

  it('makes a value without statusCode a 200 of JSON', async () => {
    const { url } = await gateway(() => ({ ok: true }));
    const answer = await fetch(url);
    expect([answer.status, answer.headers.get('content-type'), await answer.json()]).toEqual([
      200,
      'application/json',
      { ok: true },
    ]);
  });

  it('answers 500 for a handler that throws or answers nonsense, and tells the owner', async () => {
    const errors: unknown[] = [];
    const { url } = await gateway(
      (event) => {
        if (event['rawPath'] === '/throw') throw new Error('secret detail');
        return event['rawPath'] === '/status'
          ? { statusCode: 'x' }
          : { statusCode: 200, headers: { bad: 'a\nb' } };
      },
      { onError: (error) => errors.push(error) },
    );
    for (const path of ['/throw', '/status', '/header']) {
      const answer = await fetch(url + path);
      expect([answer.status, await answer.json()]).toEqual([500, { message: 'Internal Server Error' }]);
    }
    expect(errors).toHaveLength(1);
  });

  it('answers 413 over 10 MB and 503 when the handler takes too long', async () => {
    const { url } = await gateway(() => new Promise(() => {}), { timeoutMs: 50 });
    expect((await fetch(url, { method: 'POST', body: 'x'.repeat(10 * 1024 * 1024 + 1) })).status).toBe(413);
    const late = await fetch(url);
    expect([late.status, await late.json()]).toEqual([503, { message: 'Service Unavailable' }]);
  });

  it('answers 400 for a path that cannot be decoded', async () => {
    const { port } = await gateway(echo);
    expect(await raw(port, 'GET /%ff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1.1 400/,
    );
  });
});

describe('gateway: who may ask', () => {
  const withHeaders = (port: number, headers: Record<string, string>, method = 'GET'): Promise<number> =>
    new Promise((resolve, reject) => {
      httpRequest({ host: '127.0.0.1', port, method, headers }, (answer) =>
        resolve(answer.resume().statusCode!),
      )
        .on('error', reject)
        .end();
    });

  it('refuses other hosts on loopback (DNS rebinding) and writes from other pages', async () => {
    const { port } = await gateway(() => ({}));
    expect(await withHeaders(port, { host: `evil.example:${port}` })).toBe(403);
    expect(await withHeaders(port, { host: `localhost:${port}` })).toBe(200);
    const host = `127.0.0.1:${port}`;
    expect(await withHeaders(port, { host, origin: 'https://evil.example' }, 'POST')).toBe(403);
    expect(await withHeaders(port, { host, origin: `http://${host}` }, 'POST')).toBe(200);
  });

  it('asks for the token where there is one', async () => {
    const { port } = await gateway(() => ({}), { token: 'the-token' });
    expect(await withHeaders(port, {})).toBe(401);
    expect(await withHeaders(port, { authorization: 'Bearer wrong' })).toBe(401);
    expect(await withHeaders(port, { authorization: 'Bearer the-token' })).toBe(200);
    expect(isAuthorised('bearer the-token', 'the-token')).toBe(true);
    expect(isAuthorised('Basic the-token', 'the-token')).toBe(false);
    expect(['localhost', '127.0.0.1:80', '[::1]:1', 'LOCALHOST'].every(isLoopbackHost)).toBe(true);
    expect(['', 'localhost.evil', '127.0.0.1.nip.io', '10.0.0.1', '::1'].some(isLoopbackHost)).toBe(false);
  });

  it('answers preflights from its configuration', async () => {
    const { url } = await gateway(() => ({}), {
      cors: { origins: ['https://app.example'], methods: ['GET', 'POST'] },
    });
    const preflight = (origin: string) =>
      fetch(url, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
    const allowed = await preflight('https://app.example');
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(allowed.headers.get('access-control-allow-methods')).toBe('GET,POST');
    expect((await preflight('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull();
    const answer = await fetch(url, { headers: { origin: 'https://app.example' } });
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example');
  });
});

describe('gateway: presigned objects', () => {
  it('serves uploads held to size and hash, and downloads', async () => {
    let publicUrl = '';
    const store = await embeddedStore({ publicUrl: () => publicUrl });
    closers.push(store.remove);
    const objects = { bucket: store.artifacts, secret: presignSecret(store.dataDir), clock: systemClock };
    const { url } = await gateway(echo, { objects });
    publicUrl = url;
    const artifacts = store.artifacts();
    const grant = {
      method: 'PUT',
      expiresSeconds: 60,
      bytes: 5,
      sha256: sha256Hex('hello'),
      contentType: 'text/plain',
    } as const;
    const put = await artifacts.presign('up/ä b', grant);
    const send = (body: string, headers = put.headers, to = put.url) =>
      fetch(to, { method: 'PUT', headers, body });
    expect((await send('jello')).status).toBe(400);
    expect((await send('hello there')).status).toBe(400);
    expect((await send('hello', { 'content-type': 'text/html' })).status).toBe(400);
    expect((await send('hello', put.headers, put.url.replace('b?', 'c?'))).status).toBe(403);
    expect((await send('hello', put.headers, put.url.replace(/bytes=5/, 'bytes=6'))).status).toBe(403);
    await expect(artifacts.head('up/ä b')).rejects.toMatchObject({ name: 'NotFound' });
    expect((await send('hello')).status).toBe(200);

    const get = await artifacts.presign('up/ä b', { method: 'GET', expiresSeconds: 60 });
    const answer = await fetch(get.url);
    expect([answer.status, await answer.text(), answer.headers.get('content-type')]).toEqual([
      200,
      'hello',
      'text/plain',
    ]);
    expect(answer.headers.get('content-disposition')).toBe('attachment');
    expect((await fetch(get.url, { method: 'HEAD' })).headers.get('content-length')).toBe('5');
    expect((await fetch(get.url, { method: 'PUT', body: 'x' })).status).toBe(403);
    expect((await fetch(`${url}/objects/agentmill-local/up`)).status).toBe(400);
    const gone = await artifacts.presign('none', { method: 'GET', expiresSeconds: 60 });
    expect((await fetch(gone.url)).status).toBe(404);
  });
});

describe('gateway: hostile input', () => {
  it('parses any query, header list and target without failing', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.string(), { maxLength: 8 }), (text, list) => {
        queryOf(text);
        headersOf(list.length % 2 ? [...list, ''] : list);
        try {
          targetOf(text);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedRequest);
        }
      }),
    );
  });
});

function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}
