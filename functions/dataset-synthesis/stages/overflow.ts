import type { InferRequest } from '#shared/models/types.ts';
import { countTokens } from '#shared/text/tokens.ts';
import type { SynthesisConfig } from '../config.ts';
import type { Stage } from '../records.ts';
import type { Outcome } from './outcome.ts';

/** Tokens that chat templates and role names add to a message, generously. */
const TOKENS_A_MESSAGE = 16;

/**
 * Why a request cannot fit its model's context: found before it is sent, and never retried. Undefined where it fits.
 * A text has no more tokens than UTF-8 bytes, so only long prompts are counted.
 */
export function overflowOf(
  stage: Stage,
  request: InferRequest,
  config: SynthesisConfig,
): Extract<Outcome<never>, { status: 'failed' }> | undefined {
  const contextTokens = config.contextTokens[stage];
  if (contextTokens === undefined) return undefined;
  const room = contextTokens - (request.params?.maxOutputTokens ?? 0);
  const texts = request.messages.map(({ content }) =>
    typeof content === 'string' ? content : JSON.stringify(content),
  );
  const overhead = texts.length * TOKENS_A_MESSAGE;
  if (texts.reduce((sum, text) => sum + Buffer.byteLength(text), overhead) <= room) return undefined;
  const promptTokens = texts.reduce((sum, text) => sum + countTokens(text), overhead);
  if (promptTokens <= room) return undefined;
  const evidence = {
    promptTokens,
    contextTokens,
    hint: 'lower documents.maxTokens or name a model with more context',
  };
  return { status: 'failed', code: 'CONTEXT_OVERFLOW', evidence };
}
