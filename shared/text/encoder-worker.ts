import { parentPort } from 'node:worker_threads';
import { loadSentenceModel } from './sentence-model/model.ts';

/** A thread of the sentence encoder (shared/text/encoder.ts): texts in, one flat array of vectors out. */

export interface EncoderJob {
  id: number;
  texts: string[];
}

export type EncoderReply = { id: number; values: Float32Array } | { id: number; error: string };

const model = loadSentenceModel();
// Those who ask for vectors are told; nobody asking is no reason to end the thread.
model.catch(() => undefined);

/**
 * Texts go through the model one by one: in a batch the sums of a matrix product are taken in another order, and a
 * text's last bits would depend on its neighbours.
 */
async function encode(texts: string[]): Promise<Float32Array> {
  const vectorOf = await model;
  const vectors = texts.map(vectorOf);
  const values = new Float32Array(vectors.reduce((size, vector) => size + vector.length, 0));
  vectors.reduce((at, vector) => (values.set(vector, at), at + vector.length), 0);
  return values;
}

const port = parentPort;
port?.on('message', ({ id, texts }: EncoderJob) => {
  encode(texts).then(
    (values) => port.postMessage({ id, values } satisfies EncoderReply, [values.buffer as ArrayBuffer]),
    (error: unknown) =>
      port.postMessage({
        id,
        error: error instanceof Error ? error.message : String(error),
      } satisfies EncoderReply),
  );
});
