import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { crc32 } from 'node:zlib';
import type { Runtime } from '#shared/task/runtime.ts';
import { systemClock } from '#shared/determinism/clock.ts';
import { randomIds } from '#shared/determinism/ids.ts';
import { notFound } from '#shared/task/errors.ts';
import type { Artifacts } from '#shared/storage/ports.ts';
import { readEntry } from '#shared/models/registry/entry.ts';
import {
  ProviderError,
  type InferRequest,
  type ModelEntry,
  type ProviderCall,
  type ProviderDelta,
} from '#shared/models/types.ts';
import type { ProviderEnv } from '#shared/models/providers/index.ts';
import type { Role } from '#shared/models/role.ts';

/** One request a server saw. */
export interface Seen {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

/** An HTTP server on a loopback port that keeps what it was asked. */
export async function startServer(
  answer: (seen: Seen, response: ServerResponse, index: number) => void | Promise<void>,
): Promise<{ url: string; seen: Seen[]; close(): Promise<void> }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const one = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: await buffer(request),
      };
      seen.push(one);
      await answer(one, response, seen.length - 1);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Artifacts in a map: enough to read images and async outputs. */
export function memoryArtifacts(
  objects: Record<string, string | Uint8Array> = {},
): Artifacts & { objects: Map<string, Buffer> } {
  const map = new Map(Object.entries(objects).map(([key, body]) => [key, Buffer.from(body as string)]));
  const port = {
    bucket: 'bucket',
    objects: map,
    async get(key: string) {
      const body = map.get(key);
      if (!body) throw notFound(`no ${key}`);
      return {
        key,
        etag: '',
        bytes: body.length,
        modified: 0,
        metadata: {},
        body: (async function* () {
          yield body;
        })(),
      };
    },
    async put(key: string, body: Uint8Array) {
      map.set(key, Buffer.from(body));
      return { etag: '', sha256: '', bytes: body.length };
    },
  };
  return port as unknown as Artifacts & { objects: Map<string, Buffer> };
}

export function envOf(
  settings: Record<string, string> = {},
  options: {
    artifacts?: Artifacts;
    roles?: Role[];
    kind?: 'aws' | 'embedded';
    records?: Runtime['records'];
  } = {},
): ProviderEnv {
  const artifacts = options.artifacts ?? memoryArtifacts();
  const runtime = {
    kind: options.kind ?? 'embedded',
    artifacts,
    bucket: () => artifacts,
    records: options.records ?? { query: async () => ({ items: [] }) },
    clock: systemClock,
    ids: randomIds,
    env: settings,
    writeLog: () => {},
  } as unknown as Runtime;
  return { runtime, roleOf: async (name) => options.roles?.find((role) => role.name === name) };
}

export const LIMITS = { rpm: 1000, tpm: 1_000_000, concurrency: 8 };

/** One model of a registry, defaults filled. */
export function modelOf(entry: Record<string, unknown>): ModelEntry {
  const full = {
    name: 'm',
    contextTokens: 8192,
    maxOutputTokens: 100,
    billing: 'free',
    limits: LIMITS,
    ...entry,
  };
  const { model, problems } = readEntry(full, '');
  if (!model) throw new Error(problems.map(({ pointer, detail }) => `${pointer}: ${detail}`).join(' '));
  return model;
}

export const requestOf = (overrides: Partial<InferRequest> = {}): InferRequest => ({
  id: 'r1',
  role: { name: 'qa/answer', version: '1' },
  model: 'm',
  messages: [{ role: 'user', content: 'Say hello.' }],
  ...overrides,
});

export const callOf = (model: ModelEntry, overrides: Partial<ProviderCall> = {}): ProviderCall => ({
  attemptId: 'a'.repeat(32),
  model,
  request: requestOf(),
  idempotencyKey: 'key-1',
  timeoutMs: 20_000,
  signal: new AbortController().signal,
  ...overrides,
});

/** The ProviderError that a promise ends in; anything else fails the test. */
export async function errorOf(work: Promise<unknown>): Promise<ProviderError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ProviderError) return error;
    throw error;
  }
  throw new Error('It did not fail.');
}

export async function allDeltas(deltas: AsyncIterable<ProviderDelta>): Promise<ProviderDelta[]> {
  const all: ProviderDelta[] = [];
  for await (const delta of deltas) all.push(delta);
  return all;
}

/** One frame of `application/vnd.amazon.eventstream`: string headers and a payload, both checksums right. */
export function frame(headers: Record<string, string>, payload: Uint8Array | string): Buffer {
  const fields = Object.entries(headers).map(([name, value]) => {
    const length = Buffer.alloc(3);
    length.writeUInt8(7, 0);
    length.writeUInt16BE(Buffer.byteLength(value), 1);
    return Buffer.concat([
      Buffer.from([Buffer.byteLength(name)]),
      Buffer.from(name),
      length,
      Buffer.from(value),
    ]);
  });
  const head = Buffer.concat(fields);
  const body = Buffer.from(payload as string);
  const total = 16 + head.length + body.length;
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(total, 0);
  prelude.writeUInt32BE(head.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const message = Buffer.concat([prelude, head, body]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(message), 0);
  return Buffer.concat([message, checksum]);
}

export const payloadPart = (bytes: Uint8Array | string): Buffer =>
  frame(
    { ':message-type': 'event', ':event-type': 'PayloadPart', ':content-type': 'application/octet-stream' },
    bytes,
  );

export const streamException = (type: string, body: unknown): Buffer =>
  frame(
    { ':message-type': 'exception', ':exception-type': type, ':content-type': 'application/json' },
    JSON.stringify(body),
  );

/** A chat/completions answer. */
export const completion = (content: string | null, extra: Record<string, unknown> = {}): string =>
  JSON.stringify({
    id: 'c1',
    object: 'chat.completion',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 5, completion_tokens: 2 },
    ...extra,
  });
