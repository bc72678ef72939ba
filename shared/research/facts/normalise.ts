/**
 * The form in which facts, answers and quotes are compared (specification deep-research, section 9): NFKD without
 * marks, lower case, punctuation and symbols to spaces, no articles. Idempotent.
 *
 * @example normaliseText('The Côte d’Azur (France)') === 'cote d azur france'
 */
export function normaliseText(text: string): string {
  // Most lines are ASCII, which has no marks to take away.
  const plain = ASCII.test(text) ? text : text.toWellFormed().normalize('NFKD').replace(MARKS, '');
  return plain.toLowerCase().replace(GAPS, ' ').replace(ARTICLES, ' ').replace(/ +/g, ' ').trim();
}

const ASCII = /^[\x00-\x7f]*$/;
const MARKS = /\p{M}+/gu;
const GAPS = /[^\p{L}\p{N}]+/gu;
const ARTICLES = /(?<![^ ])(?:a|an|the)(?![^ ])/g;
