/**
 * Runs work on items in parallel and gives the results in the order of the items. At most `concurrency` run at once
 * and at most `window` are dispatched and not yet given, so memory stays bounded however uneven they are.
 */
export class OrderedWindow<Result> {
  readonly #concurrency: number;
  readonly #window: number;
  readonly #give: (result: Result) => void;
  readonly #done = new Map<number, Result>();
  #running = 0;
  #dispatched = 0;
  #given = 0;
  #failure: { error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(options: { concurrency: number; window: number }, give: (result: Result) => void) {
    this.#concurrency = options.concurrency;
    this.#window = options.window;
    this.#give = give;
  }

  /** Nothing more is dispatched; what runs goes on. The first reason stands. */
  stop(error: unknown): void {
    this.#failure ??= { error };
    this.#wake?.();
  }

  get stopped(): { error: unknown } | undefined {
    return this.#failure;
  }

  get running(): number {
    return this.#running;
  }

  /** Waits for room and starts the work; false when the window was stopped instead. Work that throws stops it. */
  async dispatch(work: () => Promise<Result>): Promise<boolean> {
    while (
      !this.#failure &&
      (this.#running >= this.#concurrency || this.#dispatched - this.#given >= this.#window)
    ) {
      await this.#change();
    }
    if (this.#failure) return false;
    const index = this.#dispatched++;
    this.#running++;
    void work().then(
      (result) => this.#finish(index, result),
      (error: unknown) => {
        this.#running--;
        this.stop(error);
      },
    );
    return true;
  }

  /** Waits until nothing runs. */
  async settled(): Promise<void> {
    while (this.#running > 0) await this.#change();
  }

  #finish(index: number, result: Result): void {
    this.#running--;
    this.#done.set(index, result);
    for (;;) {
      const next = this.#done.get(this.#given);
      if (next === undefined) break;
      this.#done.delete(this.#given);
      this.#given++;
      this.#give(next);
    }
    this.#wake?.();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }
}
