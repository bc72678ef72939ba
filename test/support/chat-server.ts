import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What is asked of a server of chat/completions, as far as tests look at it. */
export interface ChatRequest {
  model: string;
  seed?: number;
  messages: { content: string }[];
  response_format?: { json_schema: { name: string } };
}

/** What the server says: a reply's text, or a status with headers. */
export type ChatReply = string | { status: number; headers?: Record<string, string> };

/** All messages' text. */
export const promptOf = ({ messages }: ChatRequest): string =>
  messages.map(({ content }) => content).join('\n');

/**
 * An OpenAI-compatible server on loopback whose answers a test decides. Usage is 100 tokens in, 50 out.
 * @param reply gets the request and its body as it came.
 */
export async function chatServer(
  reply: (request: ChatRequest, body: string) => ChatReply | Promise<ChatReply>,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const body = Buffer.concat(chunks).toString();
      const said = await reply(JSON.parse(body) as ChatRequest, body);
      const { status, headers = {} } = typeof said === 'string' ? { status: 200 } : said;
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(
        JSON.stringify(
          typeof said === 'string'
            ? {
                choices: [{ message: { role: 'assistant', content: said }, finish_reason: 'stop' }],
                usage: { prompt_tokens: 100, completion_tokens: 50 },
              }
            : { error: { message: `status ${status}` } },
        ),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** models.json with such a server as the model `stub`, beside `builtin`. @param patch what the entry says otherwise. */
export const stubModels = (url: string, patch: Record<string, unknown> = {}): string =>
  JSON.stringify({
    models: [
      { name: 'builtin', provider: 'builtin' },
      {
        name: 'stub',
        provider: 'openai',
        endpoint: { url, auth: { type: 'none' } },
        served: 'stub',
        contextTokens: 32_768,
        maxOutputTokens: 2048,
        price: [{ from: '2020-01-01', inputPerMTok: 0, outputPerMTok: 1 }],
        billing: 'token',
        limits: { rpm: 60_000, tpm: 600_000_000, concurrency: 8 },
        features: { jsonSchema: true, tools: false, streaming: false },
        ...patch,
      },
    ],
    routes: [],
  });
