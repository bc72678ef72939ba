import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { Clock } from '#shared/determinism/clock.ts';
import type { Queue, QueueMessage, SendResult } from '#shared/storage/ports.ts';
import { checkReceive, checkSend, checkVisibility } from '#shared/storage/queue-rules.ts';

interface Message {
  id: string;
  body: string;
  receives: number;
  receipt: string;
}

/**
 * A queue in memory for `states run`. Unlike the stored one it needs no polling, so that an idle worker does not make
 * the virtual clock tick.
 */
export class MemoryQueue implements Queue {
  readonly name: string;
  readonly #clock: Clock;
  readonly #visible: Message[] = [];
  readonly #hidden = new Map<string, { message: Message; shown: AbortController }>();
  /** Timers of the queue are not sleeps of the function that sends or receives. */
  readonly #apart = AsyncLocalStorage.snapshot();
  readonly #waiting: (() => void)[] = [];

  constructor(name: string, clock: Clock) {
    this.name = name;
    this.#clock = clock;
  }

  async send(messages: { body: string; delaySeconds?: number }[]): Promise<SendResult> {
    const { accepted, failed } = checkSend(messages);
    const sent: SendResult['sent'] = [];
    for (const { index, body, delaySeconds } of accepted) {
      const message = { id: randomUUID(), body, receives: 0, receipt: '' };
      sent.push({ index, messageId: message.id });
      if (delaySeconds > 0) this.#later(delaySeconds, () => this.#show(message));
      else this.#show(message);
    }
    return { sent, failed };
  }

  #show(message: Message): void {
    this.#visible.push(message);
    for (const resume of this.#waiting.splice(0)) resume();
  }

  async receive(options: Parameters<Queue['receive']>[0] = {}): Promise<QueueMessage[]> {
    const { max, waitSeconds, visibilitySeconds } = checkReceive(options);
    if (this.#visible.length === 0 && waitSeconds > 0) await this.#wait(waitSeconds, options.signal);
    return this.#visible.splice(0, max).map((message) => {
      message.receives++;
      message.receipt = randomUUID();
      this.#hide(message, visibilitySeconds ?? 30);
      return {
        messageId: message.id,
        body: message.body,
        receipt: message.receipt,
        receiveCount: message.receives,
      };
    });
  }

  #later(seconds: number, then: () => void, signal?: AbortSignal): void {
    this.#apart(() => this.#clock.sleep(seconds * 1000, signal)).then(then, () => {});
  }

  #hide(message: Message, seconds: number): void {
    const { receipt } = message;
    const shown = new AbortController();
    this.#hidden.set(receipt, { message, shown });
    this.#later(
      seconds,
      () => {
        if (this.#hidden.delete(receipt)) this.#show(message);
      },
      shown.signal,
    );
  }

  /** Takes a hidden message out; undefined for a stale receipt. */
  #found(receipt: string): Message | undefined {
    const hidden = this.#hidden.get(receipt);
    this.#hidden.delete(receipt);
    hidden?.shown.abort();
    return hidden?.message;
  }

  async #wait(seconds: number, signal: AbortSignal | undefined): Promise<void> {
    await Promise.race([
      this.#clock.sleep(seconds * 1000, signal).catch(() => {}),
      new Promise<void>((resolve) => this.#waiting.push(resolve)),
    ]);
  }

  /** The next message, for good: how workers are served, in order. */
  async take(): Promise<Pick<QueueMessage, 'messageId' | 'body'>> {
    for (;;) {
      const message = this.#visible.shift();
      if (message) return { messageId: message.id, body: message.body };
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async delete(receipt: string): Promise<void> {
    this.#found(receipt);
  }

  async changeVisibility(receipt: string, seconds: number): Promise<void> {
    checkVisibility(seconds);
    const message = this.#found(receipt);
    if (!message) return;
    message.receipt = randomUUID();
    if (seconds === 0) this.#show(message);
    else this.#hide(message, seconds);
  }
}
