/** An entry of a timer heap; `at` is kept by the heap and is -1 while the entry is in none. */
export interface Timed {
  due: number;
  at: number;
}

/** A binary min-heap by `due` whose entries can be taken out from the middle in O(log n). */
export class TimerHeap<T extends Timed> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    item.at = this.#items.length;
    this.#items.push(item);
    this.#up(item.at);
  }

  remove(item: T): void {
    const at = item.at;
    if (at < 0) return;
    item.at = -1;
    const last = this.#items.pop()!;
    if (last === item) return;
    this.#items[at] = last;
    last.at = at;
    this.#up(at);
    this.#down(last.at);
  }

  /** Takes out the first entry when it is due at `now`. */
  popDue(now: number): T | undefined {
    const first = this.#items[0];
    if (first === undefined || first.due > now) return undefined;
    this.remove(first);
    return first;
  }

  #up(from: number): void {
    let at = from;
    const item = this.#items[at]!;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#items[parent]!.due <= item.due) break;
      this.#place(this.#items[parent]!, at);
      at = parent;
    }
    this.#place(item, at);
  }

  #down(from: number): void {
    let at = from;
    const item = this.#items[at]!;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= this.#items.length) break;
      if (child + 1 < this.#items.length && this.#items[child + 1]!.due < this.#items[child]!.due) child++;
      if (this.#items[child]!.due >= item.due) break;
      this.#place(this.#items[child]!, at);
      at = child;
    }
    this.#place(item, at);
  }

  #place(item: T, at: number): void {
    this.#items[at] = item;
    item.at = at;
  }
}
