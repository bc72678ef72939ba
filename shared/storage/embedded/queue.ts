import type { Clock } from '#shared/determinism/clock.ts';
import type { Ids } from '#shared/determinism/ids.ts';
import { conflict, invalidInput } from '#shared/task/errors.ts';
import type { Queue, QueueMessage, SendResult } from '../ports.ts';
import { checkReceive, checkSend, checkVisibility } from '../queue-rules.ts';
import type { Database } from './database.ts';

export interface QueueSettings {
  /** Seconds a received message stays hidden where the receive names none. Default 30, as SQS. */
  visibilitySeconds?: number;
  /** Receives after which a message moves to the dead-letter queue; null never. Default 5; null for a `-dlq` queue. */
  maxReceiveCount?: number | null;
  /** Default `<name>-dlq`. */
  deadLetter?: string;
}

/** Messages are kept 14 days, as on the deployed platform. */
const RETENTION_MS = 14 * 86_400_000;
/** How soon a long poll sees what another process sent. */
const POLL_MS = 50;
const NAME = /^[A-Za-z0-9_-]{1,80}$/;

interface MessageRow {
  id: number;
  message_id: string;
  body: string;
  receives: number;
}

/** Wakes the long polls of this process when something is sent. */
export class QueueSignals {
  readonly #waiting = new Map<string, Set<() => void>>();

  wake(queue: string): void {
    for (const resume of this.#waiting.get(queue) ?? []) resume();
  }

  wakeAll(): void {
    for (const queue of this.#waiting.keys()) this.wake(queue);
  }

  /** Resolves after `ms` of the clock, when the queue is woken, or when the signal aborts; never rejects. */
  async wait(queue: string, ms: number, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
    const woken = new AbortController();
    const resume = (): void => woken.abort();
    const waiters = this.#waiting.get(queue) ?? new Set();
    this.#waiting.set(queue, waiters.add(resume));
    try {
      await clock.sleep(ms, signal ? AbortSignal.any([signal, woken.signal]) : woken.signal);
    } catch {
      // Woken or aborted: the caller looks again either way.
    } finally {
      waiters.delete(resume);
      if (waiters.size === 0) this.#waiting.delete(queue);
    }
  }
}

/** The queue port on SQLite: at least once, hidden while received, dead-lettered after too many receives. */
export class EmbeddedQueue implements Queue {
  readonly name: string;
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #signals: QueueSignals;
  readonly #visibilitySeconds: number;
  readonly #maxReceiveCount: number | null;
  readonly #deadLetter: string;

  constructor(
    name: string,
    context: { db: Database; clock: Clock; ids: Ids; signals: QueueSignals },
    settings: QueueSettings = {},
  ) {
    if (!NAME.test(name))
      throw invalidInput('A queue name has 1 to 80 letters, digits, hyphens or underscores.');
    this.name = name;
    this.#db = context.db;
    this.#clock = context.clock;
    this.#ids = context.ids;
    this.#signals = context.signals;
    this.#visibilitySeconds = settings.visibilitySeconds ?? 30;
    this.#maxReceiveCount =
      settings.maxReceiveCount === undefined ? (name.endsWith('-dlq') ? null : 5) : settings.maxReceiveCount;
    this.#deadLetter = settings.deadLetter ?? `${name}-dlq`;
  }

  async send(messages: { body: string; delaySeconds?: number }[]): Promise<SendResult> {
    const { accepted, failed } = checkSend(messages);
    const now = this.#clock.now();
    const sent = this.#db.transaction(() =>
      accepted.map(({ index, body, delaySeconds }) => {
        const messageId = this.#ids.uuid();
        this.#db.run(
          'INSERT INTO messages(queue, message_id, body, sent, visible) VALUES (?, ?, ?, ?, ?)',
          this.name,
          messageId,
          body,
          now,
          now + delaySeconds * 1000,
        );
        return { index, messageId };
      }),
    );
    this.#signals.wake(this.name);
    return { sent, failed };
  }

  async receive(
    options: { max?: number; waitSeconds?: number; visibilitySeconds?: number; signal?: AbortSignal } = {},
  ): Promise<QueueMessage[]> {
    const { max, waitSeconds, visibilitySeconds = this.#visibilitySeconds } = checkReceive(options);
    const until = this.#clock.now() + waitSeconds * 1000;
    for (;;) {
      if (options.signal?.aborted) return [];
      const messages = this.#take(max, visibilitySeconds);
      const left = until - this.#clock.now();
      if (messages.length > 0 || left <= 0) return messages;
      await this.#signals.wait(this.name, Math.min(left, this.#nextLook()), this.#clock, options.signal);
    }
  }

  /** Milliseconds until the next message becomes visible, at most the poll interval. */
  #nextLook(): number {
    const next = this.#db.get<{ visible: number | null }>(
      'SELECT min(visible) AS visible FROM messages WHERE queue = ?',
      this.name,
    );
    return Math.max(1, Math.min(POLL_MS, (next?.visible ?? Infinity) - this.#clock.now()));
  }

  #take(max: number, visibilitySeconds: number): QueueMessage[] {
    const now = this.#clock.now();
    const visible = 'FROM messages WHERE queue = ? AND visible <= ?';
    // Looking first keeps idle polls of many processes off the write lock.
    if (!this.#db.get(`SELECT 1 ${visible} LIMIT 1`, this.name, now)) return [];
    return this.#db.transaction(() => {
      this.#deadLetters(now);
      const rows = this.#db.all<MessageRow>(
        `SELECT id, message_id, body, receives ${visible} ORDER BY visible, id LIMIT ?`,
        this.name,
        now,
        max,
      );
      return rows.map((row) => {
        const receipt = `${row.id}.${this.#ids.hex(64)}`;
        this.#db.run(
          'UPDATE messages SET receives = receives + 1, visible = ?, receipt = ? WHERE id = ?',
          now + visibilitySeconds * 1000,
          receipt,
          row.id,
        );
        return { messageId: row.message_id, body: row.body, receipt, receiveCount: row.receives + 1 };
      });
    });
  }

  #deadLetters(now: number): void {
    if (this.#maxReceiveCount === null) return;
    const moved = this.#db.run(
      'UPDATE messages SET queue = ?, receives = 0, receipt = NULL WHERE queue = ? AND visible <= ? AND receives >= ?',
      this.#deadLetter,
      this.name,
      now,
      this.#maxReceiveCount,
    );
    if (moved > 0) this.#signals.wake(this.#deadLetter);
  }

  async delete(receipt: string): Promise<void> {
    this.#db.run(
      'DELETE FROM messages WHERE id = ? AND receipt = ? AND queue = ?',
      idOf(receipt),
      receipt,
      this.name,
    );
  }

  async changeVisibility(receipt: string, seconds: number): Promise<void> {
    checkVisibility(seconds);
    const changed = this.#db.run(
      'UPDATE messages SET visible = ? WHERE id = ? AND receipt = ? AND queue = ?',
      this.#clock.now() + seconds * 1000,
      idOf(receipt),
      receipt,
      this.name,
    );
    if (changed === 0) throw conflict('The receipt is stale: the message was deleted or received again.');
    this.#signals.wake(this.name);
  }
}

function idOf(receipt: string): number {
  const id = Number(receipt.slice(0, receipt.indexOf('.')));
  return Number.isSafeInteger(id) ? id : -1;
}

/** Deletes messages past their retention; returns how many. */
export function sweepMessages(db: Database, now: number): number {
  return db.run('DELETE FROM messages WHERE sent < ?', now - RETENTION_MS);
}
