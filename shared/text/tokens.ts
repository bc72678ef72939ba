import { countTokens as count, decode, encode } from 'gpt-tokenizer/encoding/o200k_base';

// Corpora may spell special tokens; here they are plain text.
const PLAIN = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };

/** Number of o200k_base tokens of a text; special-token spellings count as ordinary text. */
export function countTokens(text: string): number {
  return count(text, PLAIN);
}

/** The o200k_base token ids of a text. */
export function encodeTokens(text: string): number[] {
  return encode(text, PLAIN);
}

/** The text of o200k_base token ids. */
export function decodeTokens(tokens: number[]): string {
  return decode(tokens);
}
