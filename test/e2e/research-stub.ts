import { setTimeout as delay } from 'node:timers/promises';
import { chatServer, promptOf, stubModels } from '#test/support/chat-server.ts';

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

/** A chat server that plays an agent's model by a script. */
export async function researchStub(
  answer: (request: StepRequest) => string | Promise<string>,
  options: { delayMs?: number } = {},
): Promise<ResearchStub> {
  const requests: StepRequest[] = [];
  const answered: StepRequest[] = [];
  const server = await chatServer(async (request) => {
    const prompt = promptOf(request);
    const step = /^This is step (\d+) of \d+\./m.exec(prompt)?.[1];
    const asked: StepRequest = {
      step: step === undefined ? undefined : Number(step),
      final: prompt.includes('This is your last reply.'),
      prompt,
      seed: request.seed ?? 0,
      model: request.model,
    };
    requests.push(asked);
    if (options.delayMs) await delay(options.delayMs);
    const content = await answer(asked);
    answered.push(asked);
    return content;
  });
  return { ...server, requests, answered };
}

/** models.json with the stub as the model `stub`. */
export const researchModels = (url: string, patch: Record<string, unknown> = {}): string =>
  stubModels(url, {
    maxOutputTokens: 4096,
    price: [{ from: '2020-01-01', inputPerMTok: 1, outputPerMTok: 10 }],
    limits: { rpm: 600_000, tpm: 6_000_000_000, concurrency: 8 },
    ...patch,
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
