/** A bounded number of places, given out in the order they are asked for. */
export class Slots {
  private free: number;
  private readonly waiting: (() => void)[] = [];
  private readonly holders = new Set<() => void>();

  constructor(places: number) {
    this.free = places;
  }

  /** Someone waits for a place. */
  get wanted(): boolean {
    return this.waiting.length > 0;
  }

  async take(): Promise<void> {
    if (this.free > 0) {
      this.free--;
      return;
    }
    await new Promise<void>((resolve) => {
      this.waiting.push(resolve);
      for (const holder of this.holders) holder();
    });
  }

  give(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.free++;
  }

  /** Tells the holder of an idle place when one is wanted; returns how to stop. */
  onWanted(holder: () => void): () => void {
    this.holders.add(holder);
    return () => this.holders.delete(holder);
  }
}
