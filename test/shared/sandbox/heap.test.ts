import fc from 'fast-check';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openHeap, packHeap } from '#shared/sandbox/heap.ts';

const folder = mkdtempSync(join(tmpdir(), 'agentmill-heap-'));
afterAll(() => rmSync(folder, { recursive: true }));
const BLOCK = 65_536;

/** A snapshot as Pyodide gives it: its second word says how long its header is. */
function snapshotOf(header: number, blocks: readonly number[]): Buffer {
  const start = Buffer.alloc(header, 7);
  start.writeUInt32LE(header, 4);
  return Buffer.concat([start, ...blocks.map((byte) => Buffer.alloc(BLOCK, byte))]);
}

test('a memory comes back as it was, whatever the new one held, and takes no room for what is zero', () => {
  const path = join(folder, 'heap');
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 40 }).map((words) => words * 4),
      fc.array(fc.constantFrom(0, 0, 1, 255), { maxLength: 12 }),
      fc.integer({ min: 0, max: 255 }),
      (headerBytes, blocks, before) => {
        const snapshot = snapshotOf(headerBytes, blocks);
        const pieces = Buffer.concat(packHeap(snapshot));
        expect(pieces.length).toBeLessThan((blocks.filter((byte) => byte !== 0).length + 1) * BLOCK);
        writeFileSync(path, pieces);
        const heap = openHeap(path);
        expect(Buffer.from(heap.header)).toEqual(snapshot.subarray(0, headerBytes));
        expect(heap.bytes).toBe(blocks.length * BLOCK);
        const memory = new Uint8Array(heap.bytes).fill(before).buffer;
        heap.restore(memory);
        expect(Buffer.from(memory).equals(snapshot.subarray(headerBytes))).toBe(true);
      },
    ),
    { numRuns: 60 },
  );
});

test('one that is cut short is an error, not another memory', () => {
  const path = join(folder, 'short');
  writeFileSync(path, Buffer.concat(packHeap(snapshotOf(8, [1, 0, 2]))));
  truncateSync(path, 100_000);
  expect(() => openHeap(path).restore(new ArrayBuffer(3 * BLOCK))).toThrow(/cut short/);
  truncateSync(path, 5);
  expect(() => openHeap(path)).toThrow(/cut short/);
});
