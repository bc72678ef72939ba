import { bandKey, minhash } from '#shared/text/minhash.ts';
import { HashSets } from '#shared/text/hash-sets.ts';
import { charGramHashes, charGrams, jaccard } from '#shared/text/hashes.ts';
import { comparable } from '#shared/text/normalise.ts';
import { UnionFind } from '#shared/text/union-find.ts';
import type { RejectCode, SynthesisInput } from '../records.ts';

/** Gate 10: duplicates and contradictions among all pairs of a job (specification section 7). */

/** Bands and rows: P(candidate) = 1 - (1 - s^4)^32, 0.873 at s = 0.5, above 0.9999 at 0.8. */
export const PAIR_BANDS = 32;
export const PAIR_ROWS = 4;
/** Refused candidates remembered, to be compared once; more are compared again. */
const MAX_REFUSED = 4_000_000;
/** Units of the character grams of a normalised question. */
const GRAM = 5;

export interface PairIdentity {
  qaId: string;
  question: string;
  answerKey: string;
}

export interface PairVerdict {
  code: Extract<RejectCode, 'DUPLICATE_PAIR' | 'NEAR_DUPLICATE_PAIR' | 'CONFLICTING_ANSWER'>;
  evidence: Record<string, unknown>;
}

/**
 * Which of the pairs go, by index. The result depends on the set of pairs only, not on their order: of equal or near
 * pairs the lowest qaId stays.
 */
export function findDuplicates(
  pairs: readonly PairIdentity[],
  dedup: Pick<SynthesisInput['dedup'], 'pairs' | 'threshold'>,
): Map<number, PairVerdict> {
  const gone = new Map<number, PairVerdict>();
  if (dedup.pairs === 'off') return gone;
  const questions = pairs.map(({ question }) => comparable(question));
  const byId = pairs.map((_, i) => i).sort((a, b) => (pairs[a]!.qaId < pairs[b]!.qaId ? -1 : 1));
  sameQuestions(pairs, questions, byId, gone);
  if (dedup.pairs === 'near') {
    const groups = groupBy(
      byId.filter((i) => !gone.has(i)),
      (i) => `${pairs[i]!.answerKey}\n${anchorsOf(pairs[i]!.question).join(' ')}`,
    );
    for (const group of groups)
      if (group.length > 1) nearQuestions(pairs, questions, group, dedup.threshold, gone);
  }
  return gone;
}

function groupBy(indexes: readonly number[], key: (index: number) => string): number[][] {
  const groups = new Map<string, number[]>();
  for (const index of indexes) {
    const name = key(index);
    const group = groups.get(name);
    if (group) group.push(index);
    else groups.set(name, [index]);
  }
  return [...groups.values()];
}

function sameQuestions(
  pairs: readonly PairIdentity[],
  questions: readonly string[],
  byId: readonly number[],
  gone: Map<number, PairVerdict>,
): void {
  for (const group of groupBy(byId, (i) => questions[i]!)) {
    if (group.length === 1) continue;
    // Shortest answer first, of equal ones the lowest qaId: the one that stays if any does.
    const ordered = [...group].sort(
      (a, b) => pairs[a]!.answerKey.length - pairs[b]!.answerKey.length || a - b,
    );
    const shortest = pairs[ordered[0]!]!.answerKey;
    const keeper = group.find((i) => pairs[i]!.answerKey === shortest)!;
    const agree = group.every((i) => containsWords(pairs[i]!.answerKey, shortest));
    for (const index of group) {
      if (agree && index === keeper) continue;
      gone.set(
        index,
        agree
          ? { code: 'DUPLICATE_PAIR', evidence: { kept: pairs[keeper]!.qaId } }
          : {
              code: 'CONFLICTING_ANSWER',
              evidence: { answers: [...new Set(group.map((i) => pairs[i]!.answerKey))], pairs: group.length },
            },
      );
    }
  }
}

/** Whether one answer key holds another at word boundaries. */
const containsWords = (long: string, short: string): boolean => ` ${long} `.includes(` ${short} `);

/**
 * What a templated question is about: tokens with a digit, or with a capital that does not open the question. Questions
 * with different anchors are about different things and never meet.
 */
export function anchorsOf(question: string): string[] {
  if (!/[\p{Lu}\p{Nd}]/u.test(question)) return [];
  const anchors = new Set<string>();
  for (const [index, token] of question.trim().split(/\s+/u).entries()) {
    const capital = /\p{Lu}/u.test(index === 0 ? token.replace(/^[^\p{L}\p{N}]*\p{L}/u, '') : token);
    if (capital || /\p{Nd}/u.test(token)) anchors.add(comparable(token));
  }
  return [...anchors].sort();
}

function nearQuestions(
  pairs: readonly PairIdentity[],
  questions: readonly string[],
  group: readonly number[],
  threshold: number,
  gone: Map<number, PairVerdict>,
): void {
  const { roots, similarity } = nearDuplicates(
    group.map((i) => questions[i]!),
    threshold,
  );
  for (const [at, index] of group.entries()) {
    const root = roots.find(at);
    if (root === at) continue;
    gone.set(index, {
      code: 'NEAR_DUPLICATE_PAIR',
      evidence: { kept: pairs[group[root]!]!.qaId, similarity: similarity(root, at) },
    });
  }
}

/**
 * Near duplicates among texts: MinHash bands give candidates, exact Jaccard of character 5-grams decides, union-find
 * joins. The root of each set is its first text.
 */
export function nearDuplicates(
  texts: readonly string[],
  threshold: number,
): { roots: UnionFind; similarity: (a: number, b: number) => number } {
  const roots = new UnionFind(texts.length);
  const sets = new HashSets();
  /** The Jaccard similarity of two texts' grams, by hashes: exact but for collisions. */
  const rough = (a: number, b: number): number =>
    sets.jaccard(charGramHashes(texts[a]!, GRAM), charGramHashes(texts[b]!, GRAM));
  const similarity = (a: number, b: number): number => Math.round(rough(a, b) * 1e4) / 1e4;
  const keys = bandKeys(texts);
  /** Pairs that met in an earlier band and were no duplicates. */
  const refused = new Set<number>();
  const meet = (a: number, b: number): void => {
    if (roots.find(a) === roots.find(b)) return;
    const pair = a * texts.length + b;
    if (refused.has(pair)) return;
    if (areAlike(texts[a]!, texts[b]!, rough(a, b), threshold)) roots.union(a, b);
    else if (refused.size < MAX_REFUSED) refused.add(pair);
  };
  // One hash table a band, chained through `next`: a Map of arrays would take most of the time.
  let slots = 16;
  while (slots < texts.length * 2) slots *= 2;
  const heads = new Int32Array(slots);
  const next = new Int32Array(texts.length);
  for (let band = 0; band < PAIR_BANDS; band++) {
    heads.fill(-1);
    const from = band * texts.length;
    for (let i = 0; i < texts.length; i++) {
      const key = keys[from + i]!;
      if (key === NO_KEY) continue;
      const slot = (key >>> 0) & (slots - 1);
      for (let other = heads[slot]!; other >= 0; other = next[other]!) {
        if (keys[from + other] === key) meet(other, i);
      }
      next[i] = heads[slot]!;
      heads[slot] = i;
    }
  }
  return { roots, similarity };
}

/** Stands for the keys of a text without grams. */
const NO_KEY = -1;

/** The band keys of every text, band by band, so that a band is read in one run. Signatures need not be kept. */
function bandKeys(texts: readonly string[]): Float64Array {
  const keys = new Float64Array(PAIR_BANDS * texts.length);
  for (const [i, text] of texts.entries()) {
    const signature = minhash(charGramHashes(text, GRAM));
    for (let band = 0; band < PAIR_BANDS; band++) {
      keys[band * texts.length + i] = signature ? bandKey(signature, band, PAIR_ROWS) : NO_KEY;
    }
  }
  return keys;
}

/** How far the similarity of gram hashes may be off by collisions, generously. */
const HASH_ERROR = 0.02;

/** Whether two texts' exact Jaccard similarity reaches the threshold; by hashes where they leave no doubt. */
function areAlike(a: string, b: string, rough: number, threshold: number): boolean {
  if (Math.abs(rough - threshold) > HASH_ERROR) return rough > threshold;
  return jaccard(charGrams(a, GRAM), charGrams(b, GRAM)) >= threshold;
}
