import { stemmer } from 'stemmer';

const memo = new Map<string, string>();
const MEMO_LIMIT = 50_000;

/** The Porter stem of a lower-case English word (Porter, "An algorithm for suffix stripping", 1980). Memoised. */
export function stem(word: string): string {
  let found = memo.get(word);
  if (found === undefined) {
    found = stemmer(word);
    if (memo.size >= MEMO_LIMIT) memo.clear();
    memo.set(word, found);
  }
  return found;
}

/** Text in NFKC and lower case without accents: `Café` and `cafe` are equal. */
export function fold(text: string): string {
  return text
    .normalize('NFKC')
    .toLowerCase()
    .normalize('NFD')
    .replace(/\p{M}+/gu, '')
    .normalize('NFC');
}

export interface Word {
  /** As it stands in the text. */
  text: string;
  /** Folded. */
  key: string;
  /** UTF-16 offsets. */
  start: number;
  end: number;
}

const WORD = /[\p{L}\p{N}\p{M}]+(?:['’][\p{L}]+|[.,](?=\p{N})\p{N}+)*/gu;

/** The words of a text: runs of letters and digits, an inner apostrophe or decimal separator kept. */
export function wordsOf(text: string): Word[] {
  const out: Word[] = [];
  for (const match of text.matchAll(WORD)) {
    out.push({
      text: match[0],
      key: fold(match[0]).replaceAll('’', "'"),
      start: match.index,
      end: match.index + match[0].length,
    });
  }
  return out;
}

/** Stems of the words of a text, possessive endings dropped. */
export function stemsOf(text: string): string[] {
  return wordsOf(text).map((word) => stem(word.key.replace(/'s?$/, '')));
}
