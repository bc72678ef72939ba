import type { AnswerType, Domain, RejectCode } from '../records.ts';
import { answerKey, answerTypeOf, listItems } from './answers.ts';

/** Gate 3: question form, answer form and type. */

/** Most words an answer of a type may have. */
export const ANSWER_WORDS: Readonly<Record<Exclude<AnswerType, 'expression'>, number>> = {
  number: 1,
  quantity: 6,
  date: 5,
  name: 8,
  phrase: 12,
  list: 24,
  boolean: 1,
};
export const EXPRESSION_CHARACTERS = 120;
export const QUESTION_WORDS = { min: 5, max: 200 };
export const LIST_ITEMS = { min: 2, max: 8 };

const IMPERATIVE =
  /^(?:name|state|give|list|find|calculate|compute|determine|identify|write|solve|evaluate|simplify|convert|express|prove|show|define|describe|explain|estimate|derive|factor|expand|provide|specify|tell|complete|translate|choose|consider|suppose|let|assume|using|round|sort|count)\b/i;

export type FormVerdict =
  | { pass: true; answerType: AnswerType; answerKey: string }
  | { pass: false; code: RejectCode; evidence: Record<string, unknown> };

const words = (text: string): number => text.trim().split(/\s+/).filter(Boolean).length;

/** A scale word belongs to its number: `1.2 million` is one word long. */
const answerWords = (text: string, type: AnswerType): number =>
  type === 'number' ? words(text.replace(/(?<=\S)[\s-](?:and\s)?(?=\p{L})/gu, '-')) : words(text);

/** Checks a question and its answer by form alone; the recomputed type wins over the model's. */
export function checkForm(
  pair: { question: string; answer: string; answerType: AnswerType; domain: Domain },
  allow: readonly AnswerType[],
): FormVerdict {
  const question = pair.question.trim();
  const count = words(question);
  if (count < QUESTION_WORDS.min || count > QUESTION_WORDS.max) {
    return { pass: false, code: 'QUESTION_FORM', evidence: { words: count, allowed: QUESTION_WORDS } };
  }
  if (!/[?？]["'”’)\]]*$/.test(question) && !IMPERATIVE.test(question)) {
    return {
      pass: false,
      code: 'QUESTION_FORM',
      evidence: { problem: 'neither ends in ? nor opens with an imperative' },
    };
  }
  const answer = pair.answer.trim();
  if (answer === '') return { pass: false, code: 'ANSWER_EMPTY', evidence: {} };
  if (/^(?:option\s+)?[([]?[A-Ha-h][)\].:]?$/i.test(answer)) {
    return { pass: false, code: 'ANSWER_OPTION', evidence: { answer } };
  }
  const answerType = answerTypeOf(answer, question, pair.answerType, pair.domain);
  if (answerType === 'boolean' && !allow.includes('boolean')) {
    return { pass: false, code: 'ANSWER_BOOLEAN', evidence: { answer } };
  }
  if (!allow.includes(answerType)) {
    return { pass: false, code: 'ANSWER_TYPE', evidence: { answerType, said: pair.answerType, allow } };
  }
  if (answerType === 'expression') {
    const characters = [...answer].length;
    if (characters > EXPRESSION_CHARACTERS) {
      return {
        pass: false,
        code: 'ANSWER_TOO_LONG',
        evidence: { answerType, characters, allowed: EXPRESSION_CHARACTERS },
      };
    }
  } else {
    const length = answerWords(answer, answerType);
    const allowed = ANSWER_WORDS[answerType];
    if (length > allowed) {
      return { pass: false, code: 'ANSWER_TOO_LONG', evidence: { answerType, words: length, allowed } };
    }
  }
  if (answerType === 'list') {
    const items = listItems(answer).length;
    if (items < LIST_ITEMS.min)
      return { pass: false, code: 'ANSWER_TYPE', evidence: { answerType, items, allowed: LIST_ITEMS } };
    if (items > LIST_ITEMS.max)
      return { pass: false, code: 'ANSWER_TOO_LONG', evidence: { answerType, items, allowed: LIST_ITEMS } };
  }
  return { pass: true, answerType, answerKey: answerKey(answer, answerType) };
}
