import { wellFormed } from '#shared/determinism/well-formed.ts';
import type { ProviderReply, ToolCall, ToolSpec } from '../types.ts';
import { parseStrict } from './strict.ts';
import { faultsOf } from './validate.ts';

/**
 * Tool calls as the agent loop sees them (model-inference section 2): malformed ones are data too. A missing id
 * becomes `call_<index>`; empty arguments are those of a tool without parameters. Arguments are code and data, never
 * repaired.
 */
export function decodeToolCalls(
  calls: NonNullable<ProviderReply['toolCalls']>,
  tools: ToolSpec[],
): ToolCall[] {
  return calls.map((call, index) => {
    const base = wellFormed({
      id: call.id || `call_${index}`,
      name: call.name,
      argumentsText: call.argumentsText,
    });
    const parsed = call.argumentsText.trim() === '' ? { value: {} } : parseStrict(call.argumentsText);
    const isObject =
      parsed !== undefined &&
      parsed.value !== null &&
      typeof parsed.value === 'object' &&
      !Array.isArray(parsed.value);
    const args = isObject ? (parsed.value as Record<string, unknown>) : null;
    const tool = tools.find(({ name }) => name === call.name);
    if (!tool) return { ...base, arguments: args, error: 'UNKNOWN_TOOL' };
    if (!args) return { ...base, arguments: null, error: 'UNPARSEABLE' };
    return faultsOf(args, tool.parameters).length > 0
      ? { ...base, arguments: args, error: 'INVALID' }
      : { ...base, arguments: args };
  });
}
