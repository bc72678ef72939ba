import { STOP_WORDS } from '#shared/text/stop-words.ts';
import type { FilterInput, FilterOutput } from '../records.ts';
import { factsOfDocument } from './facts.ts';
import { pageOf } from './page.ts';

/** The builtin filter (specification section 6): shape of the text, then at least one fact. */

export const FILTER_LIMITS = {
  /** Share of lines with a letter. */
  alphabeticLines: 0.7,
  /** Symbols a word. */
  symbolRatio: 0.1,
  meanWordLength: [3, 10],
  /** Share of stop words; key-value documents and tables have few. */
  stopWords: 0.15,
  duplicateLines: 0.3,
  /** Share of lines that are navigation. */
  navigation: 0.2,
} as const;

const NAVIGATION =
  /\b(?:accept (?:all )?cookies|cookie (?:policy|settings|preferences)|privacy policy|terms of (?:use|service)|all rights reserved|sign (?:in|up)|log ?in|subscribe|newsletter|follow us|share (?:this|on)|read more|click here|skip to (?:main )?content|back to top|add to (?:cart|basket)|contact us|about us|site ?map|menu|home\s*[|>»]|next page|previous page|view all|load more|download the app|powered by|buy now|learn more)\b/i;

export function filter(input: FilterInput): FilterOutput {
  const page = pageOf(input.title, input.text);
  const { lines } = page;
  const words = input.text.match(/[\p{L}\p{N}'’-]+/gu) ?? [];
  const refuse = (reason: FilterOutput['reason'], thought: string): FilterOutput => ({
    thought,
    qualified: false,
    reason,
  });
  if (lines.length === 0 || words.length === 0) return refuse('fragment', 'There are no words.');

  const navigation = lines.filter((line) => NAVIGATION.test(line)).length / lines.length;
  const phrases = (input.text.match(new RegExp(NAVIGATION.source, 'gi')) ?? []).length;
  if (navigation > FILTER_LIMITS.navigation || phrases > words.length / 25) {
    return refuse('boilerplate', `${Math.round(100 * navigation)} % of the lines are navigation or notices.`);
  }
  const repeated = 1 - new Set(lines).size / lines.length;
  if (repeated > FILTER_LIMITS.duplicateLines)
    return refuse('boilerplate', `${Math.round(100 * repeated)} % of the lines repeat others.`);

  const structured = page.keyValueShare >= 0.5 || page.blocks.some((block) => block.kind === 'table');
  const alphabetic = lines.filter((line) => /\p{L}{2}/u.test(line)).length / lines.length;
  const symbols = (input.text.match(/#|…|\.\.\.|[{}<>\\^~]/g) ?? []).length / words.length;
  const length = words.reduce((sum, word) => sum + word.length, 0) / words.length;
  const stops = words.filter((word) => STOP_WORDS.has(word.toLowerCase())).length / words.length;
  if (alphabetic < FILTER_LIMITS.alphabeticLines) return refuse('fragment', 'Too few lines hold words.');
  if (symbols > FILTER_LIMITS.symbolRatio) return refuse('unclear', 'Symbols stand where words should.');
  if (length < FILTER_LIMITS.meanWordLength[0] || length > FILTER_LIMITS.meanWordLength[1])
    return refuse('unclear', 'Word lengths are not those of English.');
  if (!structured && stops < FILTER_LIMITS.stopWords)
    return refuse('fragment', 'Too few function words for running text.');

  const facts = factsOfDocument(input.title, input.text);
  if (facts.length === 0)
    return refuse('no_fact', 'No statement was found that a question could be made of.');
  return { thought: `${facts.length} checkable statements found.`, qualified: true, reason: 'ok' };
}
