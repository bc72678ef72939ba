import { countTokensOf } from '../ledger/tokenizers.ts';
import type { InferRequest, ModelEntry, ProviderReply, Usage } from '../types.ts';

/**
 * The tokens an answer used: as reported, else counted by the model's tokenizer, which is marked as estimated
 * (model-inference section 7). A role's own algorithm uses none.
 */
export async function usageOf(
  request: InferRequest,
  model: ModelEntry,
  reply: ProviderReply,
): Promise<{ usage: Usage; estimated: boolean }> {
  if (reply.usage) return { usage: reply.usage, estimated: false };
  if (model.provider === 'builtin') return { usage: { input: 0, output: 0 }, estimated: false };
  const count = await countTokensOf(model.tokenizer);
  let input = 0;
  for (const { content } of request.messages) {
    if (typeof content === 'string') input += count(content);
    else for (const part of content) input += part.type === 'text' ? count(part.text) : model.imageTokens;
  }
  if (request.tools?.length) input += count(JSON.stringify(request.tools));
  const calls = (reply.toolCalls ?? []).map((call) => call.name + call.argumentsText).join('');
  const reasoning = count(reply.reasoning ?? '');
  return {
    usage: { input, output: count(reply.text) + count(calls) + reasoning, reasoning },
    estimated: true,
  };
}
