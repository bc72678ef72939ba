/** An iterable that another writer consumes while rows are still found: `push` waits while too many are unread. */
export class Channel<T> implements AsyncIterable<T> {
  static readonly #CAPACITY = 500;
  #items: T[] = [];
  #closed = false;
  #failure: unknown;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  async push(item: T): Promise<void> {
    this.#items.push(item);
    this.#wakeReader?.();
    while (this.#items.length >= Channel.#CAPACITY && !this.#closed) {
      await new Promise<void>((resolve) => (this.#wakeWriter = resolve));
    }
  }

  /** Ends the iteration, with an error where one is given. */
  close(failure?: unknown): void {
    this.#closed = true;
    this.#failure = failure;
    this.#wakeReader?.();
    this.#wakeWriter?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    try {
      for (;;) {
        const items = this.#items;
        this.#items = [];
        this.#wakeWriter?.();
        yield* items;
        if (this.#items.length > 0) continue;
        if (this.#failure !== undefined) throw this.#failure;
        if (this.#closed) return;
        await new Promise<void>((resolve) => (this.#wakeReader = resolve));
      }
    } finally {
      // A reader that stopped must not leave the writer waiting.
      this.close();
    }
  }
}
