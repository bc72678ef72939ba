import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sha256Hex } from '#shared/determinism/hash.ts';

export interface ChatCall {
  /** `filter`, `identify`, `generate` or `check`. */
  role: string;
  /** All messages' text. */
  prompt: string;
  /** Hash of the request body. */
  body: string;
}

/** What the server says: a reply's text, or a status with headers. */
export type ChatAnswer = string | { status: number; headers?: Record<string, string> };

export interface ChatStub {
  url: string;
  /** Requests that were answered 200, in order. */
  answered: ChatCall[];
  /** All requests. */
  requests: ChatCall[];
  close(): Promise<void>;
}

/** An OpenAI-compatible server on loopback whose answers a test decides. Usage is 100 tokens in, 50 out. */
export async function chatStub(
  answer: (call: ChatCall) => ChatAnswer | Promise<ChatAnswer>,
): Promise<ChatStub> {
  const answered: ChatCall[] = [];
  const requests: ChatCall[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const text = Buffer.concat(chunks).toString();
      const body = JSON.parse(text) as {
        messages: { content: string }[];
        response_format: { json_schema: { name: string } };
      };
      const call = {
        role: body.response_format.json_schema.name.split('_').at(-1)!,
        prompt: body.messages.map(({ content }) => content).join('\n'),
        body: sha256Hex(text),
      };
      requests.push(call);
      const said = await answer(call);
      if (typeof said !== 'string') {
        response.writeHead(said.status, { 'content-type': 'application/json', ...said.headers });
        response.end(JSON.stringify({ error: { message: `status ${said.status}` } }));
        return;
      }
      answered.push(call);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({
          choices: [{ message: { role: 'assistant', content: said }, finish_reason: 'stop' }],
          usage: { prompt_tokens: 100, completion_tokens: 50 },
        }),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    answered,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
