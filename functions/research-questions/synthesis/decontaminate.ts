import { normaliseText } from '#shared/research/facts/normalise.ts';
import { charGramHashes, wordGramHashes } from '#shared/text/hashes.ts';
import { bandKey, minhash, similarity } from '#shared/text/minhash.ts';
import { comparable, contaminationWords } from '#shared/text/normalise.ts';
import type { RejectCode } from '../records.ts';

/** Keeps benchmarks out and near copies apart (specification section 7). */

const WORDS = 13;
const GRAM = 5;
const THRESHOLD = 0.8;
const BANDS = 32;
const ROWS = 4;

/** Sequences of 13 words of texts that no question may share. */
export class Excluded {
  readonly #grams = new Set<string>();

  add(text: string): void {
    for (const gram of gramsOf(text)) this.#grams.add(gram);
  }

  /** The first shared sequence. */
  shared(text: string): string | undefined {
    return gramsOf(text).find((gram) => this.#grams.has(gram));
  }
}

function gramsOf(text: string): string[] {
  const words = contaminationWords(text);
  return words.slice(WORDS - 1).map((_, at) => words.slice(at, at + WORDS).join(' '));
}

export interface Candidate {
  id: string;
  text: string;
  answer: string;
  evidence: readonly { url: string; quote: string }[];
}

/**
 * Which questions go: near copies (MinHash of 5-grams of characters, similarity 0.8) and those with the same answer from
 * the same evidence. Of each the lowest id stays; the result depends on the set only, not on its order.
 */
export function duplicates(questions: readonly Candidate[]): Map<string, { code: RejectCode; of: string }> {
  const gone = new Map<string, { code: RejectCode; of: string }>();
  const bands = new Map<string, { id: string; signature: Uint32Array }[]>();
  const answers = new Map<string, string>();
  for (const { id, text, answer, evidence } of [...questions].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const key = JSON.stringify([
      normaliseText(answer),
      evidence.map(({ url, quote }) => `${url} ${normaliseText(quote)}`).sort(),
    ]);
    const earlier = answers.get(key);
    if (earlier !== undefined) {
      gone.set(id, { code: 'repeated_answer', of: earlier });
      continue;
    }
    const form = comparable(text);
    const signature = minhash(charGramHashes(form, GRAM)) ?? minhash(wordGramHashes([form], 1));
    const keys = signature
      ? Array.from({ length: BANDS }, (_, band) => `${band}:${bandKey(signature, band, ROWS)}`)
      : [];
    const near =
      signature &&
      keys
        .flatMap((band) => bands.get(band) ?? [])
        .find((other) => similarity(signature, other.signature) >= THRESHOLD);
    if (near) {
      gone.set(id, { code: 'near_duplicate', of: near.id });
      continue;
    }
    answers.set(key, id);
    for (const band of keys) {
      const known = bands.get(band);
      if (known) known.push({ id, signature: signature! });
      else bands.set(band, [{ id, signature: signature! }]);
    }
  }
  return gone;
}
