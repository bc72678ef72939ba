import { below } from './diagnostics.ts';

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],]/gs;

interface Level {
  pointer: string;
  /** Keys seen so far; absent for an array. */
  keys?: Set<string>;
  /** Where the value at hand is: its key or index. */
  at: string | number;
  /** The next string is a key. */
  keyNext: boolean;
}

/**
 * JSON Pointers of the keys that one object of a JSON text gives twice. `JSON.parse` keeps the last of them in silence,
 * and half a definition would be ignored.
 * @param text - text that `JSON.parse` accepts
 */
export function duplicateKeys(text: string): string[] {
  const found: string[] = [];
  const levels: Level[] = [];
  for (const [token] of text.matchAll(TOKEN)) {
    const level = levels[levels.length - 1];
    if (token === '{' || token === '[') {
      const pointer = level ? below(level.pointer, level.at) : '';
      const object = token === '{';
      levels.push({ pointer, ...(object ? { keys: new Set<string>() } : {}), at: 0, keyNext: object });
    } else if (token === '}' || token === ']') levels.pop();
    else if (token === ',') {
      if (level?.keys) level.keyNext = true;
      else if (level) level.at = Number(level.at) + 1;
    } else if (level?.keys && level.keyNext) {
      const key = JSON.parse(token) as string;
      if (level.keys.has(key)) found.push(below(level.pointer, key));
      level.keys.add(key);
      level.at = key;
      level.keyNext = false;
    }
  }
  return found;
}
