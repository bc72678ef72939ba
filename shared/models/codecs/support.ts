import type { ModelEntry } from '../types.ts';

/** What each wire format can carry at all; a model's `features` say what its endpoint does with it. */
export const CODEC_SUPPORT: Record<ModelEntry['codec'], { tools: boolean; images: boolean }> = {
  openai: { tools: true, images: true },
  generate: { tools: false, images: false },
};

/** Names of the chat templates that `generate` knows itself (chat-template.ts). */
export const TEMPLATE_NAMES = ['chatml', 'llama3', 'gemma', 'mistral', 'plain'] as const;
