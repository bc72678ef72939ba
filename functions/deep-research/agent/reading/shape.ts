import type { Json } from '#shared/storage/ports.ts';
import type { Call } from '../../records.ts';
import { parseJson } from './json.ts';

const NAME_KEYS = ['tool', 'function', 'tool_name'];
const ARGUMENT_KEYS = ['args', 'parameters', 'input'];
const TOOL_NAMES: Record<string, string> = {
  web_search: 'search_internet',
  search: 'search_internet',
  visit: 'browse_page',
  browse: 'browse_page',
  python: 'code_interpreter',
};
const ARGUMENT_NAMES: Record<string, string> = {
  q: 'query',
  link: 'url',
  section: 'section_id',
  page: 'section_id',
  script: 'code',
  summary: 'content',
};
const NUMBERS = new Set(['section_id']);

const isObject = (value: Json | undefined): value is Record<string, Json> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** A call in the shape that is asked for: `{"name", "arguments"}` and nothing else. */
export function exactCall(value: Json): Call | undefined {
  if (!isObject(value) || Object.keys(value).length !== 2) return undefined;
  const { name, arguments: args } = value;
  return typeof name === 'string' && isObject(args) ? { name, arguments: args } : undefined;
}

/**
 * Rung 5: a call under other names. `tools` are the names that may be called: a value that names none of them, under
 * whatever alias, is no call of ours unless it has a name at all.
 * @param tools names in the order they are offered.
 */
export function shapedCall(value: Json, tools: readonly string[]): Call | undefined {
  if (Array.isArray(value)) return value.length > 0 ? shapedCall(value[0]!, tools) : undefined;
  if (!isObject(value)) return undefined;
  // `{"function": {"name", "arguments"}}`, as some endpoints spell their own.
  const nested = value.function ?? value.tool_call;
  if (isObject(nested)) return shapedCall(nested, tools);
  const nameKey = ['name', ...NAME_KEYS].find((key) => typeof value[key] === 'string');
  if (nameKey === undefined) return undefined;
  const name = (value[nameKey] as string).trim();
  const argumentKey = ['arguments', ...ARGUMENT_KEYS].find((key) => value[key] !== undefined);
  let args: Json | undefined = argumentKey === undefined ? undefined : value[argumentKey];
  if (typeof args === 'string') args = parseJson(args)?.value ?? args;
  if (args === undefined || args === null) {
    // Arguments beside the name instead of below it.
    const { [nameKey]: _name, ...rest } = value;
    if (argumentKey !== undefined) delete rest[argumentKey];
    args = rest;
  }
  if (!isObject(args)) return undefined;
  const known = tools.includes(name) ? name : (TOOL_NAMES[name.toLowerCase()] ?? name);
  const renamed: Record<string, Json> = {};
  for (const [key, argument] of Object.entries(args)) {
    const plain = ARGUMENT_NAMES[key] ?? key;
    // A right name wins over an alias of it.
    if (plain !== key && args[plain] !== undefined) continue;
    renamed[plain] = NUMBERS.has(plain) && isNumeric(argument) ? Number(argument) : argument;
  }
  return { name: known, arguments: renamed };
}

const isNumeric = (value: Json): value is string =>
  typeof value === 'string' && /^\s*-?\d{1,15}\s*$/.test(value);
