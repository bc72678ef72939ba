import { execFile } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { sigV4 } from '#cli/authorise.ts';
import { ApiClient } from '#cli/client.ts';
import { createApi } from '#functions/api/create-api.ts';
import { eventClient, iam } from '#test/support/api.ts';
import { testCatalog } from '#test/support/catalog.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

/** Remote calls of the command, before a gateway that checks signatures as AWS describes them ("Create a signed AWS API request"). */

const KEY = 'AKIDEXAMPLE';
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const REGION = 'eu-west-1';

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();
/** RFC 3986: everything but unreserved characters. */
const escape = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** What is wrong with a request's signature, from the bytes as they came over the wire. */
function signatureProblem(request: IncomingMessage, body: Buffer, now = Date.now()): string | undefined {
  const header = request.headers.authorization ?? '';
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  if (!match) return 'no AWS4-HMAC-SHA256 authorization';
  const [, key, day, region, service, signedHeaders, signature] = match;
  if (key !== KEY || region !== REGION || service !== 'execute-api') return 'another credential scope';
  const date = String(request.headers['x-amz-date']);
  const time = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!(Math.abs(now - time) < 300_000) || !date.startsWith(day!)) return 'the date is not now';
  const names = signedHeaders!.split(';');
  for (const name of ['host', 'x-amz-date']) if (!names.includes(name)) return `${name} is not signed`;
  if (request.headers['x-amz-security-token'] && !names.includes('x-amz-security-token'))
    return 'the session token is not signed';
  const [path, query = ''] = request.url!.split('?') as [string, string?];
  const canonical = [
    request.method,
    // Every service but S3 encodes the path once more.
    path.split('/').map(escape).join('/'),
    [...new URLSearchParams(query)]
      .map(([name, value]) => `${escape(name)}=${escape(value)}`)
      .sort()
      .join('&'),
    ...names.map((name) => `${name}:${String(request.headers[name]).trim().replace(/ +/g, ' ')}`),
    '',
    signedHeaders,
    sha256(body),
  ].join('\n');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const signing = ['aws4_request', service!, region!, day!].reduceRight<Buffer>(
    (last, part) => hmac(last, part),
    Buffer.from(`AWS4${SECRET}`),
  );
  return hmac(signing, text).toString('hex') === signature ? undefined : 'the signature does not match';
}

let host: TestRuntime;
let port: number;
const refused: string[] = [];
const tokens: (string | undefined)[] = [];
let server: ReturnType<typeof createServer>;

beforeAll(async () => {
  host = await embeddedRuntime();
  const send = eventClient(createApi({ catalog: testCatalog }), host.runtime);
  server = createServer((request, response) => {
    void (async () => {
      const body = await buffer(request);
      const problem = signatureProblem(request, body);
      tokens.push(request.headers['x-amz-security-token'] as string | undefined);
      if (problem !== undefined) {
        refused.push(problem);
        response.writeHead(403).end(JSON.stringify({ message: `Forbidden: ${problem}` }));
        return;
      }
      const url = new URL(request.url!, 'http://gateway');
      const answer = await send({
        method: request.method!,
        path: decodeURIComponent(url.pathname),
        query: Object.fromEntries(url.searchParams),
        ...(body.length > 0 ? { body: JSON.parse(body.toString('utf8')) as unknown } : {}),
        // What the gateway tells the function of a caller it knows.
        authorizer: iam('123456789012', 'AIDAEXAMPLE'),
      });
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer.body));
    })();
  });
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  port = (server.address() as AddressInfo).port;
});
afterAll(async () => {
  await new Promise((settle) => server.close(settle));
  await host.close();
});
afterEach(() => {
  vi.unstubAllEnvs();
  refused.length = 0;
  tokens.length = 0;
});

function client(secret = SECRET, token?: string): ApiClient {
  vi.stubEnv('AWS_ACCESS_KEY_ID', KEY);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', secret);
  vi.stubEnv('AWS_SESSION_TOKEN', token ?? '');
  return new ApiClient({
    url: `http://127.0.0.1:${port}`,
    authorise: sigV4({ region: REGION, profile: undefined }),
  });
}

const input = { sources: [], language: 'né & co' };

test('every kind of request carries a signature that holds: bodies, queries, encoded paths, cursors', async () => {
  const api = client();
  const job = await api.createJob({ workflow: 'word-count', input });
  await api.createJob({ workflow: 'word-count', input, idempotencyKey: 'second + last' });
  const query = { workflow: 'word-count', limit: '1', since: '2020-01-01T00:00:00+00:00' };
  const page = await api.jobs(query);
  expect(page.items).toHaveLength(1);
  expect((await api.jobs({ ...query, cursor: page.nextCursor })).items).toHaveLength(1);
  expect((await api.job(job.jobId)).jobId).toBe(job.jobId);
  await api.events(job.jobId);
  expect((await api.cancel(job.jobId)).jobId).toBe(job.jobId);
  await expect(api.job("no such/job (it's ~ gone)*")).rejects.toThrow('There is no job');
  expect(refused).toEqual([]);
});

test('the token of a session is signed with the rest', async () => {
  const api = client(SECRET, 'session/token+with=signs');
  await api.jobs({});
  expect(refused).toEqual([]);
  expect(tokens).toEqual(['session/token+with=signs']);
});

test('a wrong secret is refused, and the refusal is readable', async () => {
  await expect(client('not the secret').jobs({})).rejects.toMatchObject({
    message: 'Forbidden: the signature does not match',
    exitCode: 6,
  });
});

test('without a region nothing is sent', async () => {
  vi.stubEnv('AWS_REGION', '');
  const api = new ApiClient({
    url: `http://127.0.0.1:${port}`,
    authorise: sigV4({ region: undefined, profile: undefined }),
  });
  await expect(api.jobs({})).rejects.toThrow('The region of the endpoint is not known');
  expect(tokens).toEqual([]);
});

/** Loopback as an address that is not spelled like loopback, so that the command takes it for a remote endpoint. */
const MAPPED = '[::ffff:127.0.0.1]';
const reachable = await new Promise<boolean>((settle) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const socket = connect({ host: '::ffff:127.0.0.1', port: (probe.address() as AddressInfo).port });
    const end = (open: boolean) => {
      socket.destroy();
      probe.close(() => settle(open));
    };
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
});

test.skipIf(!reachable)('the command signs what it asks of a remote endpoint', async () => {
  const main = join(import.meta.dirname, '../../cli/main.ts');
  const args = ['jobs', '--json', '--endpoint', `http://${MAPPED}:${port}`, '--region', REGION];
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...args], {
    env: { PATH: process.env.PATH, AWS_ACCESS_KEY_ID: KEY, AWS_SECRET_ACCESS_KEY: SECRET },
  });
  expect(stdout).toMatch(/"word-count\.[a-z2-7]{26}"/);
  expect(tokens).toHaveLength(1);
  expect(refused).toEqual([]);
});
