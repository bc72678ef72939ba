import { setTimeout as delay } from 'node:timers/promises';
import type { Json } from '#shared/storage/ports.ts';
import { AgentmillError, ERROR_NAMES, storageUnavailable, type ErrorName } from '#shared/task/errors.ts';
import type { Store } from './store.ts';

/** A command to the engine, by the name of the port's method. */
export interface Command {
  op: 'start' | 'stop' | 'redrive' | 'sendTaskSuccess' | 'sendTaskFailure' | 'sendTaskHeartbeat';
  args: Json[];
}

type Reply = { value: Json } | { error: { name: ErrorName; message: string; data: Record<string, unknown> } };

const OWNER_POLL_MS = 50;
const CLIENT_POLL_MS = 20;
const CLIENT_WAIT_MS = 15_000;

/** How processes that do not own the engine reach the one that does: rows it answers (embedded-platform section 8). */
export class Inbox {
  readonly #store: Store;
  #timer: NodeJS.Timeout | undefined;
  #seen = -1;

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * Sends a command and waits for its answer.
   * @throws StorageUnavailable when nobody answers within 15 s; else what the engine answered
   */
  async ask(command: Command): Promise<Json> {
    const { id } = this.#store.get<{ id: number }>(
      'INSERT INTO inbox (command, created) VALUES (?, ?) RETURNING id',
      JSON.stringify(command),
      Date.now(),
    )!;
    const until = performance.now() + CLIENT_WAIT_MS;
    try {
      while (performance.now() < until) {
        const row = this.#store.get<{ reply: string | null }>('SELECT reply FROM inbox WHERE id = ?', id);
        if (row && row.reply !== null) return answer(JSON.parse(row.reply) as Reply);
        await delay(CLIENT_POLL_MS);
      }
      throw storageUnavailable('No process runs the engine of this data directory: start `agentmill up`.');
    } finally {
      this.#store.run('DELETE FROM inbox WHERE id = ?', id);
    }
  }

  /** Answers commands of other processes, looked for every 50 ms. */
  serve(handle: (command: Command) => Promise<Json>): void {
    this.#timer = setInterval(() => {
      // The number changes when another process has written; asking for it reads nothing.
      const version = Number(this.#store.get<{ data_version: number }>('PRAGMA data_version')?.data_version);
      if (version === this.#seen) return;
      this.#seen = version;
      for (const row of this.#store.all<{ id: number; command: string }>(
        'SELECT id, command FROM inbox WHERE reply IS NULL ORDER BY id',
      )) {
        if (this.#busy.has(row.id)) continue;
        this.#busy.add(row.id);
        void this.#reply(row.id, handle(JSON.parse(row.command) as Command));
      }
    }, OWNER_POLL_MS);
    this.#timer.unref();
  }

  readonly #busy = new Set<number>();

  async #reply(id: number, work: Promise<Json>): Promise<void> {
    let reply: Reply;
    try {
      reply = { value: await work };
    } catch (error) {
      const { name, message, data } = error as AgentmillError;
      const known = ERROR_NAMES.includes(name);
      reply = { error: { name: known ? name : 'Defect', message, data: known ? data : {} } };
    }
    if (this.#timer) this.#store.run('UPDATE inbox SET reply = ? WHERE id = ?', JSON.stringify(reply), id);
    this.#busy.delete(id);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

function answer(reply: Reply): Json {
  if ('value' in reply) return reply.value;
  const { name, message, data } = reply.error;
  throw new AgentmillError(name, message, { data });
}
