import { domainNamed } from '../records.ts';
import type { ParseDomain, ParsePersonas } from './contract.ts';

/** Gate 2 (specification section 7): what the identify role said, made usable. */

/** The listed domain a text names, whatever its case and outer quotes; undefined where it names none. */
export const parseDomain: ParseDomain = (value) => {
  if (typeof value !== 'string') return undefined;
  return domainNamed(value.trim().replace(/^["'`]+|["'`.]+$/g, ''));
};

const OPEN = '([{';
const CLOSE = ')]}';

/** Splits on commas that stand outside brackets; a closing bracket without its opening one counts for nothing. */
function splitOutsideBrackets(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index++) {
    const char = text[index]!;
    if (OPEN.includes(char)) depth++;
    else if (CLOSE.includes(char)) depth = Math.max(0, depth - 1);
    else if (char === ',' && depth === 0) {
      parts.push(text.slice(start, index));
      start = index + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

/** At most `max` distinct, trimmed personas in their order; a string splits on commas outside brackets. */
export const parsePersonas: ParsePersonas = (value, max) => {
  const items: unknown[] = Array.isArray(value)
    ? value
    : typeof value === 'string'
      ? splitOutsideBrackets(value)
      : [];
  const seen = new Set<string>();
  const out: string[] = [];
  for (const item of items) {
    if (typeof item !== 'string') continue;
    const persona = item.trim().replace(/\s+/g, ' ');
    const key = persona.toLowerCase();
    if (persona === '' || seen.has(key)) continue;
    if (out.length >= max) break;
    seen.add(key);
    out.push(persona);
  }
  return out;
};
