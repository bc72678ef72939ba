import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A request of an agent, as a chat server sees it. */
export interface StepRequest {
  /** Which step of its run it is; undefined for a finalisation and for judges. */
  step: number | undefined;
  final: boolean;
  /** All messages' text. */
  prompt: string;
  seed: number;
  model: string;
}

export interface ResearchStub {
  url: string;
  requests: StepRequest[];
  /** Requests whose answers left the server. */
  answered: StepRequest[];
  close(): Promise<void>;
}

/** An OpenAI-compatible server that plays an agent's model by a script. Usage is 100 tokens in, 50 out. */
export async function researchStub(
  answer: (request: StepRequest) => string | Promise<string>,
  options: { delayMs?: number } = {},
): Promise<ResearchStub> {
  const requests: StepRequest[] = [];
  const answered: StepRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as {
        model: string;
        seed?: number;
        messages: { content: string }[];
      };
      const prompt = body.messages.map(({ content }) => content).join('\n');
      const step = /^This is step (\d+) of \d+\./m.exec(prompt)?.[1];
      const asked: StepRequest = {
        step: step === undefined ? undefined : Number(step),
        final: prompt.includes('This is your last reply.'),
        prompt,
        seed: body.seed ?? 0,
        model: body.model,
      };
      requests.push(asked);
      if (options.delayMs) await delay(options.delayMs);
      const content = await answer(asked);
      answered.push(asked);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({
          choices: [{ message: { role: 'assistant', content }, finish_reason: 'stop' }],
          usage: { prompt_tokens: 100, completion_tokens: 50 },
        }),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    requests,
    answered,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** models.json with the stub as the model `stub`. */
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
        maxOutputTokens: 4096,
        price: [{ from: '2020-01-01', inputPerMTok: 1, outputPerMTok: 10 }],
        billing: 'token',
        limits: { rpm: 600_000, tpm: 6_000_000_000, concurrency: 8 },
        features: { jsonSchema: true, tools: false, streaming: false },
        ...patch,
      },
    ],
    routes: [],
  });

export const toolCall = (name: string, args: Record<string, unknown>): string =>
  `<think>on</think><tool_call>${JSON.stringify({ name, arguments: args })}</tool_call>`;

/** A corpus small enough to be indexed at once: rivers with their lengths. */
export const RIVERS = ['Danube', 'Rhine', 'Elbe', 'Oder', 'Loire', 'Tagus', 'Ebro', 'Po'];
export const riverCorpus = (): string =>
  RIVERS.map(
    (name, index) =>
      `${JSON.stringify({
        id: name.toLowerCase(),
        title: name,
        text: `${name} is a river of Europe.\nLength: ${(index + 3) * 310} km\nMouth: the sea`,
      })}\n`,
  ).join('');
