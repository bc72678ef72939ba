import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { collectReply } from '#shared/models/codecs/collect.ts';
import { openaiCodec } from '#shared/models/codecs/openai.ts';
import { openaiProvider } from '#shared/models/providers/openai.ts';
import type { Provider, ProviderReply } from '#shared/models/types.ts';
import { allDeltas, callOf, completion, envOf, errorOf, modelOf, startServer } from './support.ts';

/** Servers of chat/completions as one meets them: what they do beside what was agreed. */

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const modelAt = (url: string) =>
  modelOf({ provider: 'openai', endpoint: { url }, features: { streaming: true, tools: true } });
function clientOf(url: string): { provider: Provider; ask(): Promise<ProviderReply> } {
  const model = modelAt(url);
  const provider = openaiProvider(model, envOf());
  closing.push(() => provider.close!());
  return { provider, ask: () => provider.call(callOf(model)) };
}
async function served(answer: Parameters<typeof startServer>[0]) {
  const server = await startServer(answer);
  closing.push(server.close);
  return { ...clientOf(`${server.url}/v1/`), seen: server.seen };
}
/** A server that writes what it likes. @param say gets each connection's first bytes. */
async function raw(say: (socket: Socket, nth: number) => void): Promise<ReturnType<typeof clientOf>> {
  const sockets = new Set<Socket>();
  let nth = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => say(socket, nth++));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return clientOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
}
const chunk = (delta: unknown, finish: string | null = null): string =>
  JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] });
const STREAM = `data: ${chunk({ content: 'Grüße' })}\n\ndata: ${chunk({}, 'stop')}\n\ndata: [DONE]\n\n`;

describe('a server that compresses unasked', () => {
  const codings = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync };

  it.each(Object.entries(codings))('%s: is read, streamed or not', async (coding, compress) => {
    const { provider, ask, seen } = await served((one, response) => {
      const streamed = one.body.includes('"stream":true');
      response.writeHead(200, { 'content-encoding': coding });
      response.end(compress(streamed ? STREAM : completion('Grüße')));
    });
    expect(await ask()).toMatchObject({ text: 'Grüße' });
    const deltas = await allDeltas(provider.stream!(callOf(modelAt('http://127.0.0.1:1'))));
    expect(collectReply(deltas)).toMatchObject({ text: 'Grüße', finish: 'stop' });
    expect(seen[0]!.headers['accept-encoding']).toBe('identity');
  });

  it('is BAD_RESPONSE where that is broken, unknown or without end', async () => {
    const bodies: [string, Buffer][] = [
      ['gzip', gzipSync(completion('x')).subarray(0, 30)],
      ['gzip', Buffer.from(completion('x'))],
      ['compress', Buffer.from(completion('x'))],
      ['gzip', gzipSync(Buffer.alloc(20 * 1024 * 1024, ' '))],
    ];
    const { ask } = await served((_one, response, index) => {
      const [coding, body] = bodies[index]!;
      response.writeHead(200, { 'content-encoding': coding }).end(body);
    });
    for (const _body of bodies) expect(await errorOf(ask())).toMatchObject({ code: 'BAD_RESPONSE' });
  });

  it('has its errors read too', async () => {
    const { ask } = await served((_one, response) => {
      response.writeHead(400, { 'content-encoding': 'gzip' });
      response.end(gzipSync('{"error":{"message":"maximum context length is 8192 tokens"}}'));
    });
    expect(await errorOf(ask())).toMatchObject({ code: 'CONTEXT_OVERFLOW', billed: 'no' });
  });
});

describe('a server whose connections break', () => {
  it('is told by its status, though the words about it never come whole', async () => {
    const date = new Date(Date.now() + 60_000).toUTCString();
    const { ask } = await raw((socket) => {
      socket.end(`HTTP/1.1 429 Slow Down\r\nretry-after: ${date}\r\ncontent-length: 900\r\n\r\n{"err`);
    });
    const error = await errorOf(ask());
    expect(error).toMatchObject({ code: 'THROTTLED', billed: 'no', httpStatus: 429 });
    expect(error.retryAfterMs).toBeGreaterThan(0);
  });

  it('is told by its status, though its error has no end', async () => {
    const { ask } = await served((_one, response) => {
      response.writeHead(503, { 'retry-after': '7' });
      response.write('x'.repeat(100_000));
    });
    expect(await errorOf(ask())).toMatchObject({ code: 'UNAVAILABLE', billed: 'no', retryAfterMs: 7000 });
  });

  it('may write more after an answer: it is whole, and so is the next', async () => {
    const body = completion('whole');
    const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`;
    const { ask } = await raw((socket) =>
      socket.write(`${head}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n\x00garbage`),
    );
    for (let times = 0; times < 3; times++) expect(await ask()).toMatchObject({ text: 'whole' });
  });

  it('may close each connection after its answer: the next call takes another, or fails as what may pass', async () => {
    const { ask } = await raw((socket) => {
      const body = completion('again');
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`, () =>
        socket.destroy(),
      );
    });
    for (let times = 0; times < 5; times++) {
      const came = await ask().catch((error: unknown) => error);
      if (came instanceof Error)
        expect(['UNAVAILABLE', 'BAD_RESPONSE']).toContain((came as { code?: string }).code);
      else expect(came).toMatchObject({ text: 'again' });
    }
  });

  it('is UNAVAILABLE where it speaks no HTTP, or no TLS', async () => {
    const { ask } = await raw((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n'));
    expect(await errorOf(ask())).toMatchObject({ code: 'UNAVAILABLE' });
    const { seen } = await served(() => undefined);
    const plain = await startServer((_one, response) => void response.end('{}'));
    closing.push(plain.close);
    const tls = clientOf(plain.url.replace('http:', 'https:'));
    expect(await errorOf(tls.ask())).toMatchObject({ code: 'UNAVAILABLE' });
    expect(seen).toEqual([]);
  });
});

describe('a server that redirects', () => {
  it.each([301, 302, 307, 308])('%i: is not followed, costs nothing and is told where to', async (status) => {
    const { ask, seen } = await served((_one, response) => {
      response.writeHead(status, { location: 'https://elsewhere.example/v1/chat/completions' }).end();
    });
    const error = await errorOf(ask());
    expect(error).toMatchObject({ code: 'DEFECT', billed: 'no', httpStatus: status });
    expect(error.said).toContain('https://elsewhere.example/v1');
    expect(seen).toHaveLength(1);
    expect(seen[0]!.path).toBe('/v1/chat/completions');
  });
});

describe('streams of many kinds', () => {
  const read = (text: string): ProviderReply => {
    const decoder = openaiCodec.streamDecoder();
    const whole = [...decoder.push(Buffer.from(text)), ...decoder.end()];
    // Wherever it is cut, it says the same.
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 5 }), (cuts) => {
        const bytes = Buffer.from(text);
        const parts = openaiCodec.streamDecoder();
        const deltas = [0, ...cuts.sort((a, b) => a - b)].flatMap((from, at, all) =>
          parts.push(bytes.subarray(from, all[at + 1] ?? bytes.length)),
        );
        expect([...deltas, ...parts.end()]).toEqual(whole);
      }),
      { numRuns: 20 },
    );
    return collectReply(whole);
  };

  it('comments, other fields, CRLF, data on several lines, no end of the last line', () => {
    const pretty = JSON.stringify(JSON.parse(chunk({ content: 'B' })), null, 1)
      .split('\n')
      .map((line) => `data: ${line}`)
      .join('\r\n');
    const text = [
      ': keep-alive',
      'retry: 3000',
      `event: message\r\nid: 7\r\ndata:${chunk({ role: 'assistant', content: 'A' })}`,
      pretty,
      `data: ${chunk({}, 'stop')}`,
      'data: [DONE]',
    ].join('\r\n\r\n');
    expect(read(text)).toEqual({ text: 'AB', finish: 'stop' });
  });

  it('usage after the end, with empty choices; none at all; null', () => {
    const usage =
      '{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":null}}';
    const end = chunk({ content: 'A' }, 'stop');
    expect(read(`data: ${end}\n\ndata: ${usage}\n\ndata: [DONE]\n\n`).usage).toEqual({ input: 9, output: 4 });
    expect(read(`data: ${end}\n\ndata: {"choices":[],"usage":null}\n\n`)).not.toHaveProperty('usage');
  });

  it('calls in fragments over several indices, mixed and with gaps', () => {
    const call = (index: number | undefined, args: string, head: object = {}): string =>
      `data: ${chunk({ tool_calls: [{ ...(index === undefined ? {} : { index }), ...head, function: { ...('name' in head ? { name: head.name } : {}), arguments: args } }] })}\n\n`;
    const end = `data: ${chunk({ content: null }, 'tool_calls')}\n\n`;
    const text =
      call(0, '{"a"', { id: 'x', name: 'one' }) +
      call(3, '{"b', { id: 'y', name: 'two' }) +
      call(0, ':1}') +
      call(3, '":2}') +
      end;
    expect(read(text).toolCalls).toEqual([
      { id: 'x', name: 'one', argumentsText: '{"a":1}' },
      { id: 'y', name: 'two', argumentsText: '{"b":2}' },
    ]);
    // All numbered 0, or not at all: another id is another call; the same id is not.
    for (const index of [0, undefined]) {
      const same =
        call(index, '{"a":1}', { id: 'x', name: 'one' }) +
        call(index, '{"b"', { id: 'y', name: 'two' }) +
        call(index, ':2}', { id: 'y' }) +
        end;
      expect(read(same).toolCalls).toEqual([
        { id: 'x', name: 'one', argumentsText: '{"a":1}' },
        { id: 'y', name: 'two', argumentsText: '{"b":2}' },
      ]);
    }
  });

  it('reasons for the end that are no standard', () => {
    const finish = (reason: string): string => {
      try {
        return read(`data: ${chunk({ content: 'A' }, reason)}\n\n`).finish;
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(
      ['STOP', 'MAX_TOKENS', 'model_length', 'SAFETY', 'network_error', 'constructor', 'why not'].map(finish),
    ).toEqual(['stop', 'length', 'length', 'content_filter', 'BAD_RESPONSE', 'stop', 'stop']);
  });
});

describe('messages of many kinds', () => {
  const message = (fields: object, extra: object = {}): ProviderReply =>
    openaiCodec.decode({
      choices: [{ message: { role: 'assistant', ...fields }, finish_reason: 'stop' }],
      ...extra,
    });

  it('null content beside calls, reasoning under both names, parts, usage that makes no sense', () => {
    const calls = ['a', 'b'].map((name) => ({
      id: name,
      type: 'function',
      function: { name, arguments: { n: 1 } },
    }));
    expect(message({ content: null, tool_calls: calls })).toEqual({
      text: '',
      finish: 'tool_calls',
      toolCalls: ['a', 'b'].map((name) => ({ id: name, name, argumentsText: '{"n":1}' })),
    });
    for (const name of ['reasoning', 'reasoning_content'])
      expect(message({ content: 'so', [name]: 'hm' })).toMatchObject({ text: 'so', reasoning: 'hm' });
    expect(
      message({
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      }).text,
    ).toBe('ab');
    for (const usage of [null, 7, {}, { prompt_tokens: -1, completion_tokens: 2 }, { total_tokens: 9 }])
      expect(message({ content: 'x' }, { usage })).not.toHaveProperty('usage');
  });
});
