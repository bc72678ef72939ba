import { stem } from '#shared/text/stem.ts';
import { STOP_WORDS } from '#shared/text/stop-words.ts';
import type { Fact } from '../types.ts';
import { normaliseText } from './normalise.ts';
import { SYNONYMS } from './synonyms.ts';

/** From this match on two wordings mean one relation. */
export const SAME_RELATION = 0.5;

const COVERAGE = 0.6;
const JACCARD = 0.4;

const memo = new Map<string, ReadonlySet<string>>();
const MEMO_LIMIT = 20_000;

/** The stems of a relation's wording: shared synonyms replaced, no stop words unless it has nothing else. Memoised. */
export function relationStems(wording: string): ReadonlySet<string> {
  let stems = memo.get(wording);
  if (!stems) {
    let text = ` ${normaliseText(wording.slice(0, 1000))} `;
    for (const [asked, named] of SYNONYMS)
      if (text.includes(` ${asked} `)) text = text.replaceAll(` ${asked} `, ` ${named} `);
    const words = text.trim().split(' ');
    const topical = words.filter((word) => !STOP_WORDS.has(word));
    stems = new Set((topical.length > 0 ? topical : words).filter((word) => word !== '').map(stem));
    if (memo.size >= MEMO_LIMIT) memo.clear();
    memo.set(wording, stems);
  }
  return stems;
}

/** `0.6·coverage + 0.4·Jaccard` of two sets of stems: coverage is the share of `asked` that `named` has. */
function overlap(asked: ReadonlySet<string>, named: ReadonlySet<string>): number {
  if (asked.size === 0 || named.size === 0) return 0;
  let shared = 0;
  for (const word of asked) if (named.has(word)) shared++;
  return (COVERAGE * shared) / asked.size + (JACCARD * shared) / (asked.size + named.size - shared);
}

/**
 * How well a fact's relation is what was asked for, 0 to 1 (specification deep-research, section 9): over the stems of
 * its key, and of key and nearest heading where that is better.
 *
 * @example relationMatch('highest mountain', {key: 'Elevation - highest point', path: []}) // 0.6 + 0.4 * 2/3
 */
export function relationMatch(asked: string, fact: Pick<Fact, 'key' | 'path'>): number {
  const wanted = relationStems(asked);
  const byKey = overlap(wanted, relationStems(fact.key));
  const heading = fact.path.at(-1);
  return heading === undefined
    ? byKey
    : Math.max(byKey, overlap(wanted, relationStems(`${heading} ${fact.key}`)));
}

/** Whether a fact's value holds a text, as whole words of their normal forms. */
export function valueHolds(value: string, text: string): boolean {
  const wanted = normaliseText(text);
  return wanted !== '' && ` ${normaliseText(value)} `.includes(` ${wanted} `);
}
