import type { ModelEntry } from '../types.ts';
import type { Codec } from './codec.ts';
import { generateCodec } from './generate.ts';
import { openaiCodec } from './openai.ts';

export type { Codec, StreamDecoder } from './codec.ts';

/** The wire format a model's endpoint speaks. */
export function codecOf(model: Pick<ModelEntry, 'codec'>): Codec {
  return model.codec === 'generate' ? generateCodec : openaiCodec;
}
