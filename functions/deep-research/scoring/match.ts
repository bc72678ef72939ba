import { normaliseText } from '#shared/research/facts/normalise.ts';
import { compareAnswer, finalAnswer } from '#shared/text/answers.ts';

/** Marks of citations and of doubt around an answer. */
const CITATION_MARK = /\s*\[\d{1,3}\]/g;
/** A stated doubt is honest, and no second answer. */
const DOUBT = /\s*\((?:uncertain|unsure|not certain)\)\.?$/i;
const CITATIONS = /<citations>[\s\S]*?(?:<\/citations>|$)/g;

/** An answer's text without marks of citations and of doubt. */
export const bareAnswer = (answer: string): string =>
  answer.replace(CITATIONS, '').replace(CITATION_MARK, '').trim().replace(DOUBT, '');

/**
 * Whether an answer is the gold answer or an alias of it by comparison alone: equal in the normal form of facts, or as
 * a number, date, set or expression. Never by containing it.
 * @param relTol relative difference that numbers may have; default that of compareAnswer.
 */
export function matches(
  answer: string,
  question: { gold: string; aliases?: readonly string[] | undefined },
  relTol?: number,
): boolean {
  const bare = bareAnswer(answer);
  const normal = normaliseText(finalAnswer(bare));
  return [question.gold, ...(question.aliases ?? [])].some((gold) => {
    const wanted = normaliseText(gold);
    // What normal form leaves nothing of, such as a sign, is compared as it stands; it forgets signs and points too.
    if (wanted !== '' && wanted === normal && !/\d/.test(wanted)) return true;
    return compareAnswer(gold, bare, relTol === undefined ? {} : { relTol }).equal;
  });
}
