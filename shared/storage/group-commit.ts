import { isError } from '#shared/task/errors.ts';
import type { ConditionalPut, RecordItem, Records } from './ports.ts';

const BATCH = 25;
/** Batches on their way at once. */
const PARALLEL = 4;

/** Turns of the event loop that a caller who puts one after the other may go without, before timers and sockets have theirs. */
const MAX_ALONE = 16;

type Outcome = PromiseSettledResult<RecordItem>;

interface Entry {
  /** In this order. */
  puts: ConditionalPut[];
  done(outcomes: Outcome[]): void;
  failed(error: unknown): void;
}

/**
 * Group commit: puts that come together are written together, at once where no batch is on its way, else with the
 * next. Each has its own conditions and its own outcome. Two puts of one key must not be under way at the same time.
 */
export class GroupCommit {
  readonly #records: Records;
  #pending: Entry[] = [];
  #running = 0;
  #scheduled = false;
  /** Batches in a row that held one entry and let no other work of the process in. */
  #alone = 0;

  constructor(records: Records) {
    this.#records = records;
  }

  /** As Records.put: resolves when the item is durable. */
  async put(
    item: ConditionalPut['item'],
    options: NonNullable<ConditionalPut['options']> = {},
  ): Promise<RecordItem> {
    const [outcome] = await this.putInOrder([{ item, options }]);
    if (outcome!.status === 'rejected') throw outcome!.reason;
    return outcome!.value;
  }

  /**
   * Puts of which none is durable before the ones in front of it. One that is refused (Conflict) lets the next be
   * written; any other failure does not.
   * @returns their outcomes; a put that was not tried has the reason of the one before it.
   */
  putInOrder(puts: ConditionalPut[]): Promise<Outcome[]> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ puts, done: resolve, failed: reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const flushAll = (): void => {
      this.#scheduled = false;
      this.#alone = this.#pending.length === 1 ? this.#alone + 1 : MAX_ALONE;
      while (this.#pending.length > 0 && this.#running < PARALLEL)
        void this.#flush(this.#pending.splice(0, BATCH));
    };
    // One turn of the event loop: every put of it joins the batch. Who calls one by one need not wait for it each time.
    if (this.#alone < MAX_ALONE) process.nextTick(flushAll);
    else {
      this.#alone = 0;
      setImmediate(flushAll);
    }
  }

  async #flush(batch: Entry[]): Promise<void> {
    this.#running++;
    try {
      if (this.#records.putEach) {
        const outcomes = await putEach(
          this.#records,
          batch.flatMap(({ puts }) => puts),
        );
        for (const { puts, done } of batch) done(outcomes.splice(0, puts.length));
      } else {
        await Promise.all(batch.map(async ({ puts, done }) => done(await this.#oneByOne(puts))));
      }
    } catch (error) {
      for (const entry of batch) entry.failed(error);
    } finally {
      this.#running--;
      if (this.#pending.length > 0) this.#schedule();
    }
  }

  async #oneByOne(puts: ConditionalPut[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    let stopped: Outcome | undefined;
    for (const { item, options } of puts) {
      const [outcome] = stopped ? [stopped] : await Promise.allSettled([this.#records.put(item, options)]);
      outcomes.push(outcome!);
      if (outcome!.status === 'rejected' && !isError(outcome!.reason, 'Conflict')) stopped = outcome!;
    }
    return outcomes;
  }
}

/** Puts each item under its own conditions: in one commit where the adapter can, else side by side. */
export function putEach(
  records: Records,
  puts: readonly ConditionalPut[],
): Promise<PromiseSettledResult<RecordItem>[]> {
  // One needs no transaction of its own.
  return records.putEach && puts.length > 1
    ? records.putEach(puts)
    : Promise.allSettled(puts.map(({ item, options }) => records.put(item, options)));
}
