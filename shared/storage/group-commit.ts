import type { ConditionalPut, RecordItem, Records } from './ports.ts';

const BATCH = 25;
/** Batches on their way at once. */
const PARALLEL = 4;

interface Entry extends ConditionalPut {
  done(item: RecordItem): void;
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

  constructor(records: Records) {
    this.#records = records;
  }

  /** As Records.put: resolves when the item is durable. */
  put(
    item: ConditionalPut['item'],
    options: NonNullable<ConditionalPut['options']> = {},
  ): Promise<RecordItem> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ item, options, done: resolve, failed: reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // One turn of the event loop: every put of it joins the batch.
    setImmediate(() => {
      this.#scheduled = false;
      while (this.#pending.length > 0 && this.#running < PARALLEL)
        void this.#flush(this.#pending.splice(0, BATCH));
    });
  }

  async #flush(batch: Entry[]): Promise<void> {
    this.#running++;
    try {
      const outcomes = await putEach(this.#records, batch);
      batch.forEach((entry, index) => {
        const outcome = outcomes[index]!;
        if (outcome.status === 'fulfilled') entry.done(outcome.value);
        else entry.failed(outcome.reason);
      });
    } catch (error) {
      for (const entry of batch) entry.failed(error);
    } finally {
      this.#running--;
      if (this.#pending.length > 0) this.#schedule();
    }
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
