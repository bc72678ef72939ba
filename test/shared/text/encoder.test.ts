import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { openEncoder, sentenceEncoder, SENTENCE_ENCODER, type Encoder } from '#shared/text/encoder.ts';
import { dot } from '#shared/text/vectors.ts';
import { sha256Hex } from '#shared/determinism/hash.ts';

const encoder = openEncoder({ threads: 2 });
afterAll(() => encoder.close());

const bytes = (vector: Float32Array): string => sha256Hex(new Uint8Array(vector.buffer));

describe('the sentence encoder', () => {
  const sentences = [
    'profit from selling roses at a price each',
    'the earnings of a flower stall after its costs',
    'distance travelled by a train in hours at a speed',
    'x',
    '日本語のテキスト',
    '\u0000 and a lone \ud800 surrogate',
  ];

  test('gives unit vectors of its dimensions', async () => {
    const vectors = await encoder.embed(sentences);
    expect(vectors).toHaveLength(sentences.length);
    for (const vector of vectors) {
      expect(vector).toBeInstanceOf(Float32Array);
      expect(vector).toHaveLength(SENTENCE_ENCODER.dims);
      expect(dot(vector, vector)).toBeCloseTo(1, 5);
    }
  });

  test('puts what means the same nearer than what does not', async () => {
    const [roses, stall, train] = await encoder.embed(sentences);
    expect(dot(roses!, stall!)).toBeGreaterThan(dot(roses!, train!) + 0.1);
  });

  test('gives the same bytes alone, among others, twice and in another process thread', async () => {
    const together = await encoder.embed([...sentences, ...sentences.toReversed()]);
    const alone = await Promise.all(sentences.map(async (text) => (await encoder.embed([text]))[0]!));
    expect(together.slice(0, sentences.length).map(bytes)).toEqual(alone.map(bytes));
    expect(together.slice(sentences.length).reverse().map(bytes)).toEqual(alone.map(bytes));
    const other = openEncoder({ threads: 1 });
    try {
      expect((await other.embed(sentences)).map(bytes)).toEqual(alone.map(bytes));
    } finally {
      await other.close();
    }
  });

  test('callers own what they get: changing one vector changes no other', async () => {
    const [first, second] = await encoder.embed(['a price', 'a price']);
    first!.fill(0);
    expect(dot(second!, second!)).toBeCloseTo(1, 5);
  });

  test('clips long texts, and never blocks its caller', async () => {
    const [long, clipped] = await encoder.embed([
      'word '.repeat(20_000),
      'word '.repeat(20_000).slice(0, 2048),
    ]);
    expect(bytes(long!)).toBe(bytes(clipped!));
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await encoder.embed(Array.from({ length: 12 }, (_, n) => `${n} ${'word '.repeat(400)}`));
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(0);
  });

  test('refuses an empty text by its place', async () => {
    await expect(encoder.embed(['fine', ' \n'])).rejects.toMatchObject({
      name: 'InvalidInput',
      message: expect.stringContaining('Text 2 is empty'),
    });
    expect(await encoder.embed([])).toEqual([]);
  });

  test('waits for its WebAssembly, however many ask at the very start', async () => {
    const late = openEncoder({
      threads: 2,
      worker: new URL('./fixtures/slow-start-encoder.ts', import.meta.url),
    });
    try {
      const vectors = await Promise.all(sentences.map((text) => late.embed([text])));
      const usual = await encoder.embed(sentences);
      expect(vectors.map(([vector]) => bytes(vector!))).toEqual(usual.map(bytes));
    } finally {
      await late.close();
    }
  });

  test('is one a process', async () => {
    expect(await sentenceEncoder()).toBe(await sentenceEncoder());
  });
});

describe('a failing encoder', () => {
  const opened: ReturnType<typeof openEncoder>[] = [];
  const failing = (): Encoder => {
    const made = openEncoder({
      threads: 2,
      worker: new URL('./fixtures/failing-encoder.ts', import.meta.url),
    });
    opened.push(made);
    return made;
  };
  afterEach(() => Promise.all(opened.splice(0).map((each) => each.close())));

  test.each([
    ['exit', 'the thread ended with code 3'],
    ['error', 'no memory'],
    ['zero', 'a vector without direction'],
  ])('%s surfaces, never as zeros, and hinders no other text', async (text, message) => {
    const made = failing();
    const [bad, good] = await Promise.allSettled([made.embed([text]), made.embed(['good'])]);
    expect(bad).toMatchObject({
      status: 'rejected',
      reason: { name: 'Defect', message: expect.stringContaining(message) },
    });
    expect(good).toMatchObject({ status: 'fulfilled' });
  });

  test('is tried again on another thread', async () => {
    // Thread ids rise, so a probe tells which number the encoder's first thread will have at least.
    const probe = new Worker('', { eval: true });
    const first = probe.threadId + 1;
    await probe.terminate();
    const [vector] = await failing().embed([`once ${first}`]);
    expect(dot(vector!, vector!)).toBeCloseTo(1, 5);
  });

  test('an aborted call waits no longer than its running texts', async () => {
    const made = failing();
    await expect(made.embed(['good'], { signal: AbortSignal.abort(new Error('stopped')) })).rejects.toThrow(
      'stopped',
    );
  });
});
