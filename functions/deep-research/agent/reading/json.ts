import { jsonrepair } from 'jsonrepair';
import type { Json } from '#shared/storage/ports.ts';

/** The longest text that is repaired, in characters. */
const MAX_REPAIR = 65_536;
const MAX_MISSING_CLOSERS = 3;

/** A JSON text's value; undefined where it is none. */
export function parseJson(text: string): { value: Json } | undefined {
  try {
    return { value: JSON.parse(text) as Json };
  } catch {
    return undefined;
  }
}

/**
 * Rung 4: wrong quotes, Python's literals, comments, raw line breaks in strings, trailing commas, and up to three
 * missing closers. A library makes the guesses; what it makes of prose or of more missing than that is refused.
 */
export function repairJsonCall(text: string): { value: Json } | undefined {
  const source = text.trim();
  if (!source.startsWith('{') || source.length > MAX_REPAIR) return undefined;
  if (openBrackets(source) > MAX_MISSING_CLOSERS) return undefined;
  try {
    return parseJson(jsonrepair(source));
  } catch {
    return undefined;
  }
}

/** Brackets that are open at the end, strings taken into account. */
function openBrackets(text: string): number {
  let depth = 0;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (quote !== '') {
      if (char === '\\') at++;
      else if (char === quote) quote = '';
    } else if (char === '"') quote = char;
    else if (char === '{' || char === '[') depth++;
    else if (char === '}' || char === ']') depth--;
  }
  return depth;
}
