import type { Kernels, Room } from './kernels.ts';

/** Multi-head self-attention over rows of queries, keys and values that lie side by side. */

/** Inner places that a product sums before it adds them to what it has: the backend's, for the same last bits. */
const BLOCK = 48;

export interface AttentionRooms {
  left: Room;
  right: Room;
  part: Room;
  logits: Room;
  shares: Room;
}

/** @param longest rows. @param width numbers of a row, over all heads. */
export const attentionRooms = (
  { room }: Kernels,
  longest: number,
  width: number,
  heads: number,
): AttentionRooms => ({
  left: room(longest * BLOCK),
  right: room(BLOCK * Math.max(longest, width / heads)),
  part: room(longest * Math.max(longest, width / heads)),
  logits: room(heads * longest * longest),
  shares: room(heads * longest * longest),
});

export interface Attention {
  /** Rows of queries, keys and values, each `width` wide. */
  qkv: Room;
  rows: number;
  width: number;
  heads: number;
  /** What queries are multiplied by. */
  scale: number;
  /** Receives rows of `width`. */
  out: Room;
}

/**
 * For each head: softmax(queries times keys) times values.
 *
 * The backend's own batched product takes one number after the other, and five to ten times as long. Here each block of
 * an inner side is a product of its own, added up as the backend does.
 */
export function attend(kernels: Kernels, rooms: AttentionRooms, attention: Attention): void {
  const { qkv, rows, width, heads, scale, out } = attention;
  const head = width / heads;
  const stride = 3 * width;
  const { left, right, logits, shares } = rooms;
  for (let at = 0; at < heads; at++) {
    const [queries, keys] = [qkv.at + at * head, qkv.at + width + at * head];
    blockwise(kernels, rooms, rows, head, rows, logits.at + at * rows * rows, rows, (from, inner) => {
      const { heap } = kernels;
      for (let row = 0; row < rows; row++) {
        for (let i = 0; i < inner; i++) {
          heap[left.at + row * inner + i] = heap[queries + row * stride + from + i]! * scale;
          heap[right.at + i * rows + row] = heap[keys + row * stride + from + i]!;
        }
      }
    });
  }
  kernels.softmax(logits, heads * rows, rows, shares);
  for (let at = 0; at < heads; at++) {
    const [weights, values] = [shares.at + at * rows * rows, qkv.at + 2 * width + at * head];
    blockwise(kernels, rooms, rows, rows, head, out.at + at * head, width, (from, inner) => {
      const { heap } = kernels;
      for (let row = 0; row < rows; row++) {
        const start = weights + row * rows + from;
        heap.copyWithin(left.at + row * inner, start, start + inner);
      }
      for (let i = 0; i < inner; i++) {
        const start = values + (from + i) * stride;
        heap.copyWithin(right.at + i * head, start, start + head);
      }
    });
  }
}

/**
 * A product by blocks of its inner side.
 * @param fill puts a block's columns of the left matrix and rows of the right one in their rooms.
 */
function blockwise(
  kernels: Kernels,
  { left, right, part }: AttentionRooms,
  rows: number,
  inner: number,
  columns: number,
  out: number,
  stride: number,
  fill: (from: number, inner: number) => void,
): void {
  for (let from = 0; from < inner; from += BLOCK) {
    const wide = Math.min(BLOCK, inner - from);
    fill(from, wide);
    kernels.productOnce(left, rows, wide, right, columns, part);
    const { heap } = kernels;
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < columns; i++) {
        const [to, at] = [out + row * stride + i, part.at + row * columns + i];
        heap[to] = from === 0 ? heap[at]! : heap[to]! + heap[at]!;
      }
    }
  }
}
