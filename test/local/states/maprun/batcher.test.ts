import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '#shared/storage/ports.ts';
import { Batcher, MapRunFailure, type Batch, type BatchOptions } from '#local/states/maprun/index.ts';

function batches(items: Json[], options: BatchOptions): Batch[] {
  const batcher = new Batcher(options);
  return [...items.flatMap((item) => batcher.add(item)), ...batcher.flush()];
}

describe('Batcher', () => {
  it('groups items and carries the batch input (data of [embedded-platform 29])', () => {
    const made = batches([{ n: 1 }, { n: 2 }, { n: 3 }], { maxItems: 2, batchInput: { k: 7 } });
    expect(made.map(({ input }) => input)).toEqual([
      { BatchInput: { k: 7 }, Items: [{ n: 1 }, { n: 2 }] },
      { BatchInput: { k: 7 }, Items: [{ n: 3 }] },
    ]);
    expect(made.map(({ first, count }) => [first, count])).toEqual([
      [0, 2],
      [2, 1],
    ]);
    expect(Object.keys(made[0]!.input as object)).toEqual(['BatchInput', 'Items']);
  });

  it('gives nothing for no items', () => {
    expect(batches([], { maxItems: 2 })).toEqual([]);
  });

  it('fills batches up to the bytes of the whole input', () => {
    const item = 'x'.repeat(8);
    const one = Buffer.byteLength(JSON.stringify({ Items: [item] }));
    const two = Buffer.byteLength(JSON.stringify({ Items: [item, item] }));
    expect(batches([item, item, item], { maxBytes: two }).map(({ count }) => count)).toEqual([2, 1]);
    expect(batches([item, item, item], { maxBytes: two - 1 }).map(({ count }) => count)).toEqual([1, 1, 1]);
    expect(() => batches([item], { maxBytes: one - 1 })).toThrow(MapRunFailure);
  });

  it('keeps to 256 KiB where only a count is given', () => {
    const item = 'x'.repeat(100_000);
    expect(batches([item, item, item], { maxItems: 3 }).map(({ count }) => count)).toEqual([2, 1]);
  });

  it('names the item that fits into no batch', () => {
    const batcher = new Batcher({ maxItems: 2 }, 10);
    batcher.add(1);
    try {
      batcher.add('x'.repeat(300_000));
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({
        error: 'States.DataLimitExceeded',
        cause_: 'The item at index 11 does not fit into a batch of 262144 bytes',
      });
    }
  });

  it('keeps every item, in order, within both limits', () => {
    const item = fc.oneof(fc.string(), fc.jsonValue() as fc.Arbitrary<Json>);
    fc.assert(
      fc.property(
        fc.array(item, { maxLength: 40 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 2_000, max: 5_000 }),
        (items, maxItems, maxBytes) => {
          const fitting = items.filter((one) => JSON.stringify(one).length < 500);
          const made = batches(fitting, { maxItems, maxBytes, batchInput: 'é' });
          expect(made.flatMap(({ input }) => (input as { Items: Json[] }).Items)).toEqual(fitting);
          for (const { input, count, bytes } of made) {
            expect(bytes).toBe(Buffer.byteLength(JSON.stringify(input)));
            expect(bytes).toBeLessThanOrEqual(maxBytes);
            expect(count).toBeLessThanOrEqual(maxItems);
          }
        },
      ),
      { numRuns: 300, seed: 6 },
    );
  });
});
