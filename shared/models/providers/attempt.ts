import type { StreamDecoder } from '../codecs/codec.ts';
import type { ProviderCall, ProviderError } from '../types.ts';
import { providerError } from './errors.ts';

/** How long a server may keep a stream open whose answer is whole. */
const DRAIN_MS = 250;

/** One attempt's time: its total limit, its idle limit while streaming, and the caller's cancellation. */
export interface Attempt {
  readonly signal: AbortSignal;
  /** Starts (or restarts) the idle limit: `ms` without another call ends the attempt. */
  idle(ms: number): void;
  /** The error of a time-out or a cancellation, when that is what ended the attempt. */
  interrupted(cause: unknown, midStream?: boolean): ProviderError | undefined;
  dispose(): void;
}

/** Starts the clock of an attempt. Real time: it guards real sockets, whatever clock the platform runs on. */
export function startAttempt(call: Pick<ProviderCall, 'timeoutMs' | 'signal'>): Attempt {
  const controller = new AbortController();
  let reason: string | undefined;
  const end = (why: string): void => {
    reason ??= why;
    controller.abort(new DOMException(why, 'AbortError'));
  };
  const cancel = (): void => end('The call was cancelled.');
  if (call.signal.aborted) cancel();
  else call.signal.addEventListener('abort', cancel, { once: true });
  const total = setTimeout(
    () => end(`No complete answer within ${call.timeoutMs} ms.`),
    Math.max(0, call.timeoutMs),
  );
  let idle: NodeJS.Timeout | undefined;
  return {
    signal: controller.signal,
    idle(ms) {
      clearTimeout(idle);
      idle = setTimeout(() => end(`The stream was silent for ${ms} ms.`), ms);
    },
    interrupted(cause, midStream = false) {
      return reason === undefined
        ? undefined
        : providerError({ kind: 'timeout', midStream }, reason, { cause });
    },
    dispose() {
      clearTimeout(total);
      clearTimeout(idle);
      call.signal.removeEventListener('abort', cancel);
    },
  };
}

/** The parts of a stream until its answer is whole. Then its end is waited for, not long, so that the connection can be kept. */
export async function* untilDone<Part>(
  parts: AsyncIterable<Part>,
  attempt: Attempt,
  decoder: Pick<StreamDecoder, 'done'>,
): AsyncGenerator<Part> {
  try {
    for await (const part of parts) {
      if (decoder.done) return;
      yield part;
      if (decoder.done) attempt.idle(DRAIN_MS);
    }
  } catch (error) {
    if (!decoder.done) throw error;
  }
}
