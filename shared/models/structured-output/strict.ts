import { wellFormed } from '#shared/determinism/well-formed.ts';

/** The deepest nesting of an accepted answer. */
export const MAX_DEPTH = 64;
/** The longest text that is parsed, in bytes of UTF-8. */
export const MAX_PARSE_BYTES = 1_048_576;

/**
 * `JSON.parse` within bounds: at most 1 MiB and 64 levels (model-inference section 5, rule 6). What has no canonical form
 * is replaced before anything is validated: answers are hashed and stored.
 */
export function parseStrict(text: string): { value: unknown } | undefined {
  if (text.length > MAX_PARSE_BYTES || Buffer.byteLength(text) > MAX_PARSE_BYTES) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return withinDepth(value) ? { value: wellFormed(value) } : undefined;
}

/** Whether a value nests at most 64 levels; level by level, so that no depth can exhaust the stack. */
function withinDepth(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    const next: unknown[] = [];
    for (const item of level) {
      if (item === null || typeof item !== 'object') continue;
      if (depth === MAX_DEPTH) return false;
      for (const child of Object.values(item))
        if (child !== null && typeof child === 'object') next.push(child);
    }
    level = next;
  }
  return true;
}
