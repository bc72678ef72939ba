import { attend, attentionRooms } from './attention.ts';
import type { Kernels, Room, Tensor } from './kernels.ts';

/**
 * The forward pass of the sentence encoder: a transformer of two layers over the pieces of one text (Cer et al.,
 * "Universal Sentence Encoder", 2018, its lite form). Each step is what the model's graph says for one text that has no
 * padding, on the kernels that the graph would call, so its vectors are those of the graph to the last bit; a test holds
 * it to that. What the graph does beside (masks, gathering and scattering of rows that are all there) is left out.
 *
 * Sums and products of two 32-bit numbers are exact in 64 bits before they are stored in 32, so plain arithmetic on the
 * heap rounds like the kernels' own; `Math.fround` stands where a step's result is used before it is stored.
 */

/** The model looks at the first so many pieces of a text. */
export const MAX_PIECES = 128;

const EMBEDDED = 256;
const WIDTH = 512;
const HIDDEN = 1536;
const HEADS = 4;

const ROOT = 'module_apply_default/Encoder_en';
const STACK = `${ROOT}/KonaTransformer/Encode/TransformerStack`;
const LAYERS = `${ROOT}/KonaTransformer/Encode`;
const TRAINED = 'module/Encoder_en';

type Weights = Readonly<Record<string, readonly Tensor[]>>;

interface Norm {
  scale: Room;
  bias: Room;
}

interface Layer {
  /** Numbers of a row that comes in. */
  width: number;
  attentionNorm: Norm;
  qkv: Room;
  qkvBias: Room;
  scale: number;
  out: Room;
  outBias: Room;
  hiddenNorm: Norm;
  hidden: Room;
  hiddenBias: Room;
  back: Room;
  backBias: Room;
}

/**
 * The encoder's forward pass with room for one text: a call must end before the next.
 * @param weights of the model's graph, by node.
 * @returns the vector of a text by the numbers of its pieces, at least one; its 512 numbers, of length 1 but for rounding.
 */
export function forwardPass(kernels: Kernels, weights: Weights): (pieces: readonly number[]) => Float32Array {
  const named = (name: string): Room => {
    const tensor = weights[name]?.[0];
    if (!tensor) throw new Error(`The sentence encoder has no weights "${name}".`);
    return kernels.roomOf(tensor);
  };
  const number = (name: string): number => kernels.heap[named(name).at]!;
  const trained = (name: string): Room => named(`${name}/ConcatPartitions/concat`);
  const normOf = (name: string): Norm => ({
    scale: trained(`${name}/layer_prepostprocess/layer_norm/layer_norm_scale`),
    bias: trained(`${name}/layer_prepostprocess/layer_norm/layer_norm_bias`),
  });
  const layerOf = (place: number, width: number): Layer => {
    const own = `${LAYERS}/Layer_${place}/TransformerLayer`;
    const attention = `KonaTransformer/Encode/Layer_${place}/TransformerLayer/MultiheadAttention`;
    const folded = `${STACK}/Layer_${place}/TransformerLayer`;
    return {
      width,
      attentionNorm: normOf(own),
      qkv: named(`${TRAINED}/${attention}/qkv_transform_single/kernel/part_0`),
      qkvBias: trained(`${ROOT}/${attention}/qkv_transform_single/bias`),
      scale: number(`${folded}/MultiheadAttention/mul/y`),
      out: named(`${TRAINED}/${attention}/output_transform_single/kernel/part_0`),
      outBias: trained(`${ROOT}/${attention}/output_transform_single/bias`),
      hiddenNorm: normOf(`${own}/FFN`),
      hidden: named(`${folded}/FFN/conv1/Tensordot/Reshape_1`),
      hiddenBias: trained(`${own}/FFN/conv1/bias`),
      back: named(`${folded}/FFN/conv2/Tensordot/Reshape_1`),
      backBias: trained(`${own}/FFN/conv2/bias`),
    };
  };

  const embeddings = named('module/Embeddings_en');
  const layers = [layerOf(0, EMBEDDED), layerOf(1, WIDTH)];
  const widen = trained(`${LAYERS}/Layer_0/TransformerLayer/dense/kernel`);
  const widenBias = trained(`${LAYERS}/Layer_0/TransformerLayer/dense/bias`);
  const last = named(`${TRAINED}/hidden_layers/tanh_layer_0/weights`);
  const lastBias = named(`${TRAINED}/hidden_layers/tanh_layer_0/bias`);
  const normEpsilon = number(`${STACK}/Layer_1/TransformerLayer/FFN/layer_prepostprocess/layer_norm/Cast/x`);
  const lengthEpsilon = number(`${ROOT}/hidden_layers/l2_normalize/Maximum/y`);

  const { room } = kernels;
  const rows = room(MAX_PIECES * WIDTH);
  const residual = room(MAX_PIECES * WIDTH);
  const normal = room(MAX_PIECES * WIDTH);
  const wide = room(MAX_PIECES * HIDDEN);
  const narrow = room(MAX_PIECES * WIDTH);
  const means = room(MAX_PIECES);
  const attention = attentionRooms(kernels, MAX_PIECES, WIDTH, HEADS);
  const timing = timingSignal(kernels, named(`${STACK}/Layer_0/AddTimingSignal/TimingSignal/ExpandDims_1`));

  /** Layer normalisation of rows into `normal`. */
  const normalise = (from: Room, count: number, width: number, { scale, bias }: Norm): void => {
    kernels.means(from, count, width, means);
    let { heap } = kernels;
    // The squares go where the results will be: means are all that is wanted of them.
    for (let row = 0; row < count; row++) {
      const mean = heap[means.at + row]!;
      for (let i = row * width, end = i + width; i < end; i++) {
        const centred = Math.fround(heap[from.at + i]! - mean);
        heap[narrow.at + i] = centred;
        heap[normal.at + i] = centred * centred;
      }
    }
    kernels.means(normal, count, width, means);
    heap = kernels.heap;
    for (let row = 0; row < count; row++) {
      const variance = Math.fround(heap[means.at + row]! + normEpsilon);
      const share = Math.fround(1 / Math.fround(Math.sqrt(variance)));
      for (let i = 0, at = row * width; i < width; i++, at++) {
        const scaled = Math.fround(heap[scale.at + i]! * share);
        heap[normal.at + at] = Math.fround(scaled * heap[narrow.at + at]!) + heap[bias.at + i]!;
      }
    }
  };

  /** Adds a bias to every row of what a product gave. */
  const addBias = (to: Room, count: number, width: number, bias: Room): void => {
    const { heap } = kernels;
    for (let row = 0, at = to.at; row < count; row++)
      for (let i = 0; i < width; i++, at++) heap[at] = heap[at]! + heap[bias.at + i]!;
  };

  /** `rows` become a product's rows with their bias, and what they were before. */
  const addResidual = (from: Room, count: number, bias: Room, before: Room): void => {
    const { heap } = kernels;
    for (let row = 0, at = 0; row < count; row++) {
      for (let i = 0; i < WIDTH; i++, at++) {
        const biased = Math.fround(heap[from.at + at]! + heap[bias.at + i]!);
        heap[rows.at + at] = biased + heap[before.at + at]!;
      }
    }
  };

  const embed = (pieces: readonly number[]): void => {
    const { heap } = kernels;
    pieces.forEach((piece, row) => {
      const from = embeddings.at + piece * EMBEDDED;
      for (let i = 0, at = row * EMBEDDED; i < EMBEDDED; i++, at++) {
        const value = heap[from + i]!;
        heap[rows.at + at] = value + Math.fround(value + timing[at]!);
      }
    });
    // The first layer makes its rows wider, so what comes in is widened to be added to what comes out.
    kernels.product(rows, pieces.length, EMBEDDED, widen, WIDTH, residual);
    addBias(residual, pieces.length, WIDTH, widenBias);
  };

  const apply = (layer: Layer, count: number): void => {
    const { width } = layer;
    normalise(rows, count, width, layer.attentionNorm);
    kernels.product(normal, count, width, layer.qkv, 3 * width, wide);
    addBias(wide, count, 3 * width, layer.qkvBias);
    const { scale } = layer;
    attend(kernels, attention, { qkv: wide, rows: count, width, heads: HEADS, scale, out: normal });
    kernels.product(normal, count, width, layer.out, WIDTH, narrow);
    addResidual(narrow, count, layer.outBias, width === WIDTH ? rows : residual);

    normalise(rows, count, WIDTH, layer.hiddenNorm);
    kernels.product(normal, count, WIDTH, layer.hidden, HIDDEN, wide);
    const { heap } = kernels;
    for (let row = 0, at = wide.at; row < count; row++) {
      for (let i = 0; i < HIDDEN; i++, at++)
        heap[at] = Math.max(0, heap[at]! + heap[layer.hiddenBias.at + i]!);
    }
    kernels.product(wide, count, HIDDEN, layer.back, WIDTH, narrow);
    addResidual(narrow, count, layer.backBias, rows);
  };

  /** The mean of the rows, through one layer more, at length 1. */
  const finish = (count: number): Float32Array => {
    let { heap } = kernels;
    for (let i = 0; i < WIDTH; i++) {
      let sum = 0;
      for (let row = 0; row < count; row++) sum = Math.fround(sum + heap[rows.at + row * WIDTH + i]!);
      heap[normal.at + i] = sum / count;
    }
    kernels.product(normal, 1, WIDTH, last, WIDTH, narrow);
    addBias(narrow, 1, WIDTH, lastBias);
    kernels.tanh(narrow, WIDTH, normal);
    heap = kernels.heap;
    let squares = 0;
    for (let i = normal.at; i < normal.at + WIDTH; i++)
      squares = Math.fround(squares + Math.fround(heap[i]! * heap[i]!));
    const share = Math.fround(1 / Math.fround(Math.sqrt(Math.max(squares, lengthEpsilon))));
    return heap.slice(normal.at, normal.at + WIDTH).map((value) => value * share);
  };

  return (pieces) => {
    const seen = pieces.slice(0, MAX_PIECES);
    embed(seen);
    for (const layer of layers) apply(layer, seen.length);
    return finish(seen.length);
  };
}

/** What is added to tell places apart: sines, then cosines, of a place at falling frequencies. */
function timingSignal(kernels: Kernels, frequencies: Room): Float32Array {
  const half = EMBEDDED / 2;
  const size = MAX_PIECES * half;
  const [angles, sines, cosines] = [kernels.room(size), kernels.room(size), kernels.room(size)];
  const { heap } = kernels;
  for (let at = 0; at < size; at++)
    heap[angles.at + at] = Math.floor(at / half) * heap[frequencies.at + (at % half)]!;
  kernels.sin(angles, size, sines);
  kernels.cos(angles, size, cosines);
  const signal = new Float32Array(MAX_PIECES * EMBEDDED);
  for (let place = 0; place < MAX_PIECES; place++) {
    for (const [offset, from] of [
      [0, sines],
      [half, cosines],
    ] as const) {
      const start = from.at + place * half;
      signal.set(kernels.heap.subarray(start, start + half), place * EMBEDDED + offset);
    }
  }
  return signal;
}
