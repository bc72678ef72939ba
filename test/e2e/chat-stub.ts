import { sha256Hex } from '#shared/determinism/hash.ts';
import { chatServer, promptOf, type ChatReply } from '#test/support/chat-server.ts';

export interface ChatCall {
  /** `filter`, `identify`, `generate` or `check`. */
  role: string;
  /** All messages' text. */
  prompt: string;
  /** Hash of the request body. */
  body: string;
}

export type ChatAnswer = ChatReply;

export interface ChatStub {
  url: string;
  /** Requests that were answered 200, in order. */
  answered: ChatCall[];
  /** All requests. */
  requests: ChatCall[];
  close(): Promise<void>;
}

/** A chat server whose answers a test decides by the role that is played. */
export async function chatStub(
  answer: (call: ChatCall) => ChatAnswer | Promise<ChatAnswer>,
): Promise<ChatStub> {
  const answered: ChatCall[] = [];
  const requests: ChatCall[] = [];
  const server = await chatServer(async (request, body) => {
    const call = {
      role: request.response_format!.json_schema.name.split('_').at(-1)!,
      prompt: promptOf(request),
      body: sha256Hex(body),
    };
    requests.push(call);
    const said = await answer(call);
    if (typeof said === 'string') answered.push(call);
    return said;
  });
  return { ...server, answered, requests };
}
