import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { seededRng } from '#shared/determinism/rng.ts';

/** An answer that the server has given and charges for. */
export interface Charge {
  attemptId: string;
  prompt: string;
}

export interface FaultyStub {
  url: string;
  /** The server's own books, in order. */
  bill: Charge[];
  /** Faults given, by kind. */
  faults: Record<string, number>;
  /** Called after each charge. */
  onCharge: (() => void) | undefined;
  close(): Promise<void>;
}

/**
 * A chat server that outlives its clients: with `faults` 10 % of calls are throttled, 5 % fail, 5 % are answered
 * unreadably and 2 % never, but never more than two calls of one prompt in a row. Prompts end in their number; four that
 * hang come together, so that their time-outs pass side by side. Usage is 600 tokens in, 300 out.
 */
export async function faultyStub(faults: boolean): Promise<FaultyStub> {
  const tries = new Map<string, number>();
  const stub: Pick<FaultyStub, 'bill' | 'faults' | 'onCharge'> = {
    bill: [],
    faults: {},
    onCharge: undefined,
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { messages } = JSON.parse(Buffer.concat(chunks).toString()) as {
        messages: { content: string }[];
      };
      const prompt = messages.at(-1)!.content;
      const nth = tries.get(prompt) ?? 0;
      const draw = faults && nth < 2 ? seededRng('fault', prompt, nth).next() : 1;
      tries.set(prompt, nth + 1);
      const hangs = faults && nth === 0 && Number(/\d+$/.exec(prompt)![0]) % 200 < 4;
      const fault = hangs ? 'hang' : draw < 0.1 ? '429' : draw < 0.15 ? '500' : draw < 0.2 ? 'garbage' : '';
      if (fault) stub.faults[fault] = (stub.faults[fault] ?? 0) + 1;
      if (fault === 'hang') return;
      if (fault === 'garbage') return void response.end('{"choices":[{"message":{"content":"ans');
      if (fault) return void response.writeHead(Number(fault)).end('{"error":{"message":"not now"}}');
      stub.bill.push({ attemptId: String(request.headers['x-request-id']), prompt });
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({
          choices: [
            { message: { role: 'assistant', content: `answer to ${prompt}` }, finish_reason: 'stop' },
          ],
          usage: { prompt_tokens: 600, completion_tokens: 300 },
        }),
      );
      stub.onCharge?.();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(stub, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  });
}
