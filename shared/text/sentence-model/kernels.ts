import * as core from '@energetic-ai/core';

/**
 * The WebAssembly kernels of TensorFlow.js, called directly. Through its graph executor a short text costs four times
 * what its arithmetic does: some three hundred small operations, each with tensors, scopes and shapes of its own.
 */

/** What we use of the backend; the library's types leave it out where tfjs-core is not installed. */
interface Wasm {
  HEAPF32: Float32Array;
  HEAP32: Int32Array;
  _malloc(bytes: number): number;
  _Mean(x: number, width: number, out: number): void;
  _Softmax(x: number, out: number, width: number, rows: number): void;
  _Tanh(x: number, type: number, out: number): void;
  _Sin(x: number, type: number, out: number): void;
  _Cos(x: number, type: number, out: number): void;
  _BatchMatMul(
    a: number,
    aShape: number,
    aRank: number,
    b: number,
    bShape: number,
    bRank: number,
    transposeA: number,
    transposeB: number,
    out: number,
  ): void;
  tfjs: {
    registerTensor(id: number, size: number, byte: number): void;
    disposeData(id: number): void;
  };
}
interface Backend {
  wasm: Wasm;
  dataIdNextNumber: number;
  dataIdMap: { get(dataId: object): { id: number; memoryOffset: number } };
}
const { backend, getBackend, ready, setBackend } = core as unknown as {
  backend(): Backend;
  getBackend(): string;
  ready(): Promise<void>;
  setBackend(name: string): Promise<boolean>;
};
const BACKEND = 'wasm';
const FLOAT32 = 1;

/** A stretch of the WebAssembly's memory. */
export interface Room {
  /** By which kernels know it. */
  id: number;
  byte: number;
  /** Its first place in `heap`. */
  at: number;
}

/** A tensor of the library's, such as a weight. */
export interface Tensor {
  dataId: object;
  shape: number[];
  dtype: string;
}

export interface Kernels {
  /** The memory as numbers. Read it anew after a kernel ran: memory that grew is another array. */
  readonly heap: Float32Array;
  /** Memory for so many numbers, for good. */
  room(size: number): Room;
  /** Where a tensor lies. */
  roomOf(tensor: Tensor): Room;
  /** Rows times a matrix of weights that stays as it is: it is put in order for fast products once. */
  product(a: Room, rows: number, inner: number, weights: Room, columns: number, out: Room): void;
  /** Rows times a matrix that is another at every call. */
  productOnce(a: Room, rows: number, inner: number, b: Room, columns: number, out: Room): void;
  /** The mean of each row. */
  means(x: Room, rows: number, width: number, out: Room): void;
  softmax(x: Room, rows: number, width: number, out: Room): void;
  tanh(x: Room, size: number, out: Room): void;
  sin(x: Room, size: number, out: Room): void;
  cos(x: Room, size: number, out: Room): void;
}

/**
 * Starts the WebAssembly.
 * @throws Error where it does not start.
 */
export async function openKernels(): Promise<Kernels> {
  await ready();
  if (getBackend() !== BACKEND || !(await setBackend(BACKEND)))
    throw new Error(`The backend "${BACKEND}" of the sentence encoder does not start.`);
  const tensors = backend();
  const { wasm } = tensors;
  const roomAt = (byte: number, id: number): Room => ({ id, byte, at: byte / 4 });
  const room = (size: number): Room => roomAt(wasm._malloc(size * 4) >>> 0, tensors.dataIdNextNumber++);
  const [aShape, bShape] = [room(3), room(3)];

  /** Tells the kernels how many numbers a room holds now. What they kept of it before is forgotten. */
  const sized = ({ id, byte }: Room, size: number): number => {
    wasm.tfjs.disposeData(id);
    wasm.tfjs.registerTensor(id, size, byte);
    return id;
  };
  const product: Kernels['product'] = (a, rows, inner, weights, columns, out) => {
    wasm.HEAP32.set([1, rows, inner], aShape.at);
    wasm.HEAP32.set([1, inner, columns], bShape.at);
    const [from, to] = [sized(a, rows * inner), sized(out, rows * columns)];
    wasm._BatchMatMul(from, aShape.byte, 3, weights.id, bShape.byte, 3, 0, 0, to);
  };
  return {
    get heap() {
      return wasm.HEAPF32;
    },
    room,
    roomOf({ dataId }) {
      const { id, memoryOffset } = tensors.dataIdMap.get(dataId);
      return roomAt(memoryOffset, id);
    },
    product,
    productOnce(a, rows, inner, b, columns, out) {
      sized(b, inner * columns);
      product(a, rows, inner, b, columns, out);
    },
    means: (x, rows, width, out) => wasm._Mean(sized(x, rows * width), width, sized(out, rows)),
    softmax: (x, rows, width, out) =>
      wasm._Softmax(sized(x, rows * width), sized(out, rows * width), width, rows),
    tanh: (x, size, out) => wasm._Tanh(sized(x, size), FLOAT32, sized(out, size)),
    sin: (x, size, out) => wasm._Sin(sized(x, size), FLOAT32, sized(out, size)),
    cos: (x, size, out) => wasm._Cos(sized(x, size), FLOAT32, sized(out, size)),
  };
}
