import type { Finish, ProviderDelta, ProviderReply, Usage } from '../types.ts';
import { badResponse } from '../providers/errors.ts';

/** Puts the deltas of a whole stream together: the reply that the same answer gives unstreamed. */
export function collectReply(deltas: Iterable<ProviderDelta>): ProviderReply {
  let text = '';
  let reasoning = '';
  let finish: Finish | undefined;
  let usage: Usage | undefined;
  const tools: { id?: string; name: string; argumentsText: string }[] = [];
  for (const delta of deltas) {
    switch (delta.type) {
      case 'text':
        text += delta.delta;
        break;
      case 'reasoning':
        reasoning += delta.delta;
        break;
      case 'tool': {
        const tool = (tools[delta.index] ??= { name: '', argumentsText: '' });
        if (delta.id) tool.id = delta.id;
        // Names come whole; some servers repeat them with every piece.
        tool.name ||= delta.name ?? '';
        tool.argumentsText += delta.argumentsDelta;
        break;
      }
      case 'usage':
        usage = delta.usage;
        break;
      case 'finish':
        finish = delta.finish;
    }
  }
  if (!finish) throw badResponse('The stream ended without saying why.');
  // A server may number its calls with gaps.
  const toolCalls = tools.filter((tool) => tool !== undefined);
  return {
    text,
    finish: toolCalls.length > 0 && finish === 'stop' ? 'tool_calls' : finish,
    ...(reasoning ? { reasoning } : {}),
    ...(toolCalls.length > 0 ? { toolCalls } : {}),
    ...(usage ? { usage } : {}),
  };
}
