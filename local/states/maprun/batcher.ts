import type { Json } from '#shared/storage/ports.ts';
import { MAX_PAYLOAD_BYTES } from '../language/limits.ts';
import { MapRunFailure } from './failure.ts';

export interface BatchOptions {
  /** `MaxItemsPerBatch`; no limit where absent. */
  maxItems?: number;
  /** `MaxInputBytesPerBatch`: of the child's whole input, in bytes of JSON text. Default and most: 262,144. */
  maxBytes?: number;
  /** `BatchInput`, in every child's input. */
  batchInput?: Json;
}

/** One child's input: `{ BatchInput?, Items }`, and which items went into it. */
export interface Batch {
  input: Json;
  /** Index of the first item within the dataset. */
  first: number;
  count: number;
  /** Bytes of the input's JSON text. */
  bytes: number;
}

const jsonBytes = (value: Json): number => Buffer.byteLength(JSON.stringify(value), 'utf8');

/**
 * Groups items, in order, into batches (`ItemBatcher`, embedded-platform section 3). Push-style, so that a map run
 * can stop between any two items: `add` gives the batches that the item completes, `flush` the last one.
 */
export class Batcher {
  private readonly options: BatchOptions;
  private readonly maxItems: number;
  private readonly maxBytes: number;
  private readonly emptyBytes: number;
  private items: Json[] = [];
  private bytes: number;
  private first: number;

  /** @param first - index of the first item that will be added */
  constructor(options: BatchOptions, first = 0) {
    this.options = options;
    this.maxItems = options.maxItems ?? Infinity;
    this.maxBytes = Math.min(options.maxBytes ?? MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES);
    this.emptyBytes = jsonBytes(this.inputOf([]));
    this.bytes = this.emptyBytes;
    this.first = first;
  }

  /**
   * Adds an item and gives the batches it completes: the one it did not fit into, the one it filled, both or none.
   * @throws MapRunFailure `States.DataLimitExceeded` for an item that fits into no batch
   */
  add(item: Json): Batch[] {
    const done: Batch[] = [];
    const size = jsonBytes(item);
    if (this.emptyBytes + size > this.maxBytes) {
      const index = this.first + this.items.length;
      const cause = `The item at index ${index} does not fit into a batch of ${this.maxBytes} bytes`;
      throw new MapRunFailure('States.DataLimitExceeded', cause);
    }
    const comma = this.items.length > 0 ? 1 : 0;
    if (this.bytes + comma + size > this.maxBytes) done.push(...this.flush());
    this.bytes += size + (this.items.length > 0 ? 1 : 0);
    this.items.push(item);
    if (this.items.length >= this.maxItems) done.push(...this.flush());
    return done;
  }

  /** The batch begun, if any. */
  flush(): Batch[] {
    const { items, first, bytes } = this;
    if (items.length === 0) return [];
    this.items = [];
    this.bytes = this.emptyBytes;
    this.first += items.length;
    return [{ input: this.inputOf(items), first, count: items.length, bytes }];
  }

  private inputOf(items: Json[]): Json {
    const { batchInput } = this.options;
    return batchInput === undefined ? { Items: items } : { BatchInput: batchInput, Items: items };
  }
}
