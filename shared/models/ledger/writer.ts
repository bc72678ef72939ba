import type { RecordPut, Records } from '#shared/storage/ports.ts';

const BATCH = 25;
/** Batches on their way at once. */
const PARALLEL = 4;

interface Entry {
  item: RecordPut;
  done(): void;
  failed(error: unknown): void;
}

/**
 * Group commit: rows that come together are written together, at once where no batch is on its way, else with the
 * next. `write` resolves when the row is durable.
 */
export class LedgerWriter {
  readonly #records: Records;
  #pending: Entry[] = [];
  #running = 0;
  #scheduled = false;

  constructor(records: Records) {
    this.#records = records;
  }

  write(item: RecordPut): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ item, done: resolve, failed: reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // One turn of the event loop: every call that settles in it joins the batch.
    setImmediate(() => {
      this.#scheduled = false;
      while (this.#pending.length > 0 && this.#running < PARALLEL)
        void this.#flush(this.#pending.splice(0, BATCH));
    });
  }

  async #flush(batch: Entry[]): Promise<void> {
    this.#running++;
    try {
      await this.#records.batchPut(batch.map((entry) => entry.item));
      for (const entry of batch) entry.done();
    } catch (error) {
      for (const entry of batch) entry.failed(error);
    } finally {
      this.#running--;
      if (this.#pending.length > 0) this.#schedule();
    }
  }
}
