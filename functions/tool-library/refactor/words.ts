import { stem } from '#shared/text/stem.ts';

/** Words in names of functions and parameters. */

export const tokensOf = (name: string): string[] =>
  name
    .toLowerCase()
    .split(/[^a-z0-9]+|(?<=[a-z])(?=\d)/)
    .filter((token) => token !== '' && !/^\d+$/.test(token));

/** Words that say how a value is worked out, not of what. */
const GENERIC = new Set(
  `total sum difference product share power ratio calculate compute get find determine solve value result amount number
  count the of from for with and per by in to a an on at after before is how many much new`.split(/\s+/),
);
export const isGeneric = (token: string): boolean => GENERIC.has(token);

/** Stems of the nouns of a name. */
export const nounsOf = (name: string): string[] =>
  tokensOf(name)
    .filter((token) => !GENERIC.has(token))
    .map((token) => stem(token));

/** The longest common subsequence of token lists; tokens are equal by stem, and written as the first list has them. */
export function commonTokens(lists: readonly string[][]): string[] {
  const [first = [], ...rest] = lists;
  return rest.reduce((common, list) => pairwise(common, list), first);
}

function pairwise(a: readonly string[], b: readonly string[]): string[] {
  const [x, y] = [a.map((token) => stem(token)), b.map((token) => stem(token))];
  const best: number[][] = Array.from({ length: a.length + 1 }, () =>
    new Array<number>(b.length + 1).fill(0),
  );
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      best[i]![j] = x[i] === y[j] ? best[i + 1]![j + 1]! + 1 : Math.max(best[i + 1]![j]!, best[i]![j + 1]!);
    }
  }
  const out: string[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (x[i] === y[j]) {
      out.push(a[i]!);
      i++;
      j++;
    } else if (best[i + 1]![j]! >= best[i]![j + 1]!) i++;
    else j++;
  }
  return out;
}

/** "a, b or c". */
export function spoken(words: readonly string[], conjunction: string): string {
  if (words.length < 2) return words[0] ?? '';
  return `${words.slice(0, -1).join(', ')} ${conjunction} ${words.at(-1)!}`;
}

/** The words of such a list. */
export const listed = (text: string, conjunction: string): string[] =>
  text
    .split(', ')
    .flatMap((part, n, parts) => (n === parts.length - 1 ? part.split(` ${conjunction} `) : [part]))
    .map((word) => word.trim())
    .filter((word) => word !== '');
