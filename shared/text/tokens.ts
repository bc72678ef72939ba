import { createRequire } from 'node:module';
import type * as o200kBase from 'gpt-tokenizer/encoding/o200k_base';

/** Set by the bundler (functions/bundling.ts), which gives the encoding a file of its own beside the bundle. */
const MODULE = process.env.AGENTMILL_O200K_MODULE ?? 'gpt-tokenizer/encoding/o200k_base';

let loaded: typeof o200kBase | undefined;
/** Its ranks are most of three megabytes: loaded by the first text that is counted, not by every cold start. */
const o200k = (): typeof o200kBase => (loaded ??= createRequire(import.meta.url)(MODULE) as typeof o200kBase);

// Corpora may spell special tokens; here they are plain text.
const PLAIN = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };

/** A run of this many characters without a break (or of blanks) is hostile: merging it takes quadratic time. */
const LONGEST_RUN = 2000;
const LONG_RUN = new RegExp(`\\S{${LONGEST_RUN},}|\\s{${LONGEST_RUN},}`, 'g');

/**
 * Number of o200k_base tokens of a text; special-token spellings count as ordinary text. Exact, except that a run of
 * 2,000 or more characters without a break is counted in slices of 1,000, which keeps the time linear.
 */
export function countTokens(text: string): number {
  const { countTokens: count } = o200k();
  if (text.length < LONGEST_RUN) return count(text, PLAIN);
  let tokens = 0;
  let end = 0;
  for (const run of text.matchAll(LONG_RUN)) {
    tokens += count(text.slice(end, run.index), PLAIN);
    end = run.index + run[0].length;
    for (let at = 0; at < run[0].length; at += LONGEST_RUN / 2) {
      tokens += count(run[0].slice(at, at + LONGEST_RUN / 2), PLAIN);
    }
  }
  return tokens + count(end === 0 ? text : text.slice(end), PLAIN);
}

/** The o200k_base token ids of a text. */
export function encodeTokens(text: string): number[] {
  return o200k().encode(text, PLAIN);
}

/** The text of o200k_base token ids. */
export function decodeTokens(tokens: number[]): string {
  return o200k().decode(tokens);
}
