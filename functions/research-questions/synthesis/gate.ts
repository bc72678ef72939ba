import { normaliseText } from '#shared/research/facts/normalise.ts';
import type { Draft, RejectCode } from '../records.ts';
import { holds } from './entities.ts';

/** Checks of a question that need no model. */

const RELATIVE =
  /\b(?:today|yesterday|tomorrow|now|currently|at present|nowadays|recently|(?:this|last|next|past|coming) (?:year|month|week|decade|century|summer|winter|spring|autumn)|(?:years?|months?|weeks?|days?) ago)\b/i;

/** Sequences of words of the evidence that a question may not have. */
const VERBATIM_WORDS = 12;

/** What is wrong with a draft's text, undefined where nothing is. */
export function textFault(
  draft: Pick<Draft, 'question' | 'answer' | 'hidden' | 'evidence'>,
): { code: RejectCode; detail: string } | undefined {
  const { question, answer, hidden, evidence } = draft;
  if (question.trim() === '' || answer.trim() === '')
    return { code: 'bad_output', detail: 'There is no question.' };
  const named = hidden.find((entity) => holds(question, entity));
  if (named !== undefined) return { code: 'entity_named', detail: `It names ${named}.` };
  if (holds(question, answer)) return { code: 'answer_in_question', detail: 'It contains its answer.' };
  const relative = RELATIVE.exec(question);
  if (relative) return { code: 'relative_date', detail: `"${relative[0]}" means another day tomorrow.` };
  const words = ` ${normaliseText(question)} `;
  for (const { quote } of evidence) {
    const quoted = normaliseText(quote).split(' ');
    for (let at = 0; at + VERBATIM_WORDS <= quoted.length; at++) {
      const run = quoted.slice(at, at + VERBATIM_WORDS).join(' ');
      if (words.includes(` ${run} `)) return { code: 'verbatim', detail: `It repeats "${run}".` };
    }
  }
  return undefined;
}

/** Whether a page has a quote, in the normal form that citations are checked in. */
export const hasQuote = (page: string, quote: string): boolean => {
  const wanted = normaliseText(quote);
  return wanted !== '' && normaliseText(page).includes(wanted);
};
