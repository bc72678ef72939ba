import type { AnswerType } from '../records.ts';

export type Family = 'key-value' | 'table' | 'date' | 'quantity' | 'definition' | 'relation';

/** One question that a document answers. */
export interface Fact {
  family: Family;
  question: string;
  answer: string;
  answerType: AnswerType;
  aliases: string[];
  /** Verbatim line or sentence. */
  evidence: string;
  /** Specificity from 1 (plain) to 3 (telling). */
  score: 1 | 2 | 3;
  /** Facts of one group tell about one thing; a document is asked about each group once. */
  group: string;
}

export const capitalise = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** `CHARLES III` and `Bajram BEGAJ` in common spelling; short abbreviations and numerals stay. */
export function commonCase(name: string): string {
  return name.replace(/(?<![\p{L}\p{N}])\p{Lu}[\p{Lu}'’-]+(?![\p{L}\p{N}])/gu, (word) =>
    /^[IVXLC]+$/.test(word)
      ? word
      : word
          .toLowerCase()
          .replace(/(^|[-'’])(\p{L})/gu, (_, mark: string, letter: string) => mark + letter.toUpperCase()),
  );
}
