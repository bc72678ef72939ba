import { answerKey, answerTypeOf, listItems } from '../gates/answers.ts';
import { findContextFault } from '../gates/context.ts';
import { contentStems, factsOf } from '../gates/facts.ts';
import { findAnswer } from '../gates/grounding.ts';
import { findLeak } from '../gates/leakage.ts';
import { ASKING_WORDS, STOP_WORDS } from '../lexicon/index.ts';
import type { AnswerType, CheckInput, CheckOutput } from '../records.ts';
import { isoDate } from '#shared/text/dates.ts';
import { canonicalNumber } from '#shared/text/numbers.ts';
import { fold, stem, wordsOf } from '#shared/text/stem.ts';
import { pageOf } from './page.ts';

/**
 * The builtin check (specification section 6): finds the evidence anew. The statement that answers best must hold 80 %
 * of the question's content words, and the given answer as its only candidate of that kind.
 */

export const COVERAGE = 0.8;

/** A statement of the document: a line, a row with its header, or a sentence. */
interface Statement {
  text: string;
  stems: Set<string>;
}

const statementsMemo = new Map<string, Statement[]>();

const EQUAL: Record<string, string[]> = { '%': ['percent', 'percentag'] };

function stemsIn(text: string): Set<string> {
  const set = new Set(contentStems(text));
  for (const [mark, words] of Object.entries(EQUAL))
    if (text.includes(mark)) words.forEach((word) => set.add(word));
  return set;
}

function statementsOf(title: string | undefined, text: string): Statement[] {
  const key = `${title ?? ''}\u0000${text}`;
  let statements = statementsMemo.get(key);
  if (!statements) {
    const page = pageOf(title, text);
    const texts: string[] = [];
    for (const block of page.blocks) {
      if (block.kind === 'key-value') texts.push(block.raw);
      else if (block.kind === 'table') {
        for (const row of block.rows) {
          texts.push(
            ...row.cells
              .slice(1)
              .map(
                (cell, index) =>
                  `${block.header[0]} ${row.cells[0]} ${block.header[index + 1] ?? ''}: ${cell}`,
              ),
          );
        }
      } else texts.push(...block.sentences.map((sentence) => sentence.text));
    }
    statements = texts.map((statement) => ({ text: statement, stems: stemsIn(statement) }));
    if (statementsMemo.size >= 32) statementsMemo.delete(statementsMemo.keys().next().value!);
    statementsMemo.set(key, statements);
  }
  return statements;
}

interface Candidate {
  key: string;
  start: number;
  end: number;
}

/** Everything in a statement that could be an answer of the given type. */
function candidatesOf(text: string, type: AnswerType): Candidate[] {
  const facts = factsOf(text);
  switch (type) {
    case 'date':
      return facts.dates.map((date) => ({ key: isoDate(date), start: date.start, end: date.end }));
    case 'number':
    case 'quantity': {
      const dated = (start: number): boolean =>
        facts.dates.some((date) => start >= date.start && start < date.end);
      return facts.quantities
        .filter((quantity) => !quantity.ordinal && (quantity.unit !== undefined || !dated(quantity.start)))
        .map((quantity) => ({
          key: `${canonicalNumber(quantity.si)} ${quantity.unit?.dimension ?? ''}`,
          start: quantity.start,
          end: quantity.end,
        }));
    }
    case 'name':
      return [
        ...text.matchAll(
          /\p{Lu}[\p{L}\p{M}'’.-]*(?:[ -](?:(?:of|de|da|del|the|van|von|la|le) )*\p{Lu}[\p{L}\p{M}'’.-]*)*/gu,
        ),
      ].map((match) => ({
        key: fold(match[0]),
        start: match.index,
        end: match.index + match[0].length,
      }));
    default:
      return [];
  }
}

/** Stretches between which a statement changes its object. */
function segmentAround(text: string, at: Candidate): string {
  const marks = [...text.matchAll(/[;,](?!\d{3})|\s(?:and|but|while|or)\s/g)];
  let start = 0;
  let end = text.length;
  for (const mark of marks) {
    if (mark.index + mark[0].length <= at.start) start = mark.index + mark[0].length;
    else if (mark.index >= at.end) {
      end = mark.index;
      break;
    }
  }
  return text.slice(start, end);
}

const share = (wanted: string[], given: Set<string>): number =>
  wanted.length === 0 ? 0 : wanted.filter((word) => given.has(word)).length / wanted.length;

/** Content stems of a question, without what merely asks. */
function askedStems(question: string): string[] {
  const words = wordsOf(question).map((word) => word.key.replace(/'s?$/, ''));
  const content = words.filter((word) => word !== '' && !STOP_WORDS.has(word) && !ASKING_WORDS.has(word));
  return [...new Set(content.map(stem))];
}

/** Whether a rival candidate of the statement fits the question as well as the answer does. */
function rivalled(
  statement: string,
  answer: Candidate,
  type: AnswerType,
  question: string,
  asked: string[],
): boolean {
  const inQuestion = factsOf(question);
  const named = inQuestion.words;
  const rivals = candidatesOf(statement, type).filter((rival) => {
    if (rival.key === answer.key || (rival.start < answer.end && rival.end > answer.start)) return false;
    const text = statement.slice(rival.start, rival.end);
    if (
      named.includes(
        ` ${wordsOf(text)
          .map((word) => word.key)
          .join(' ')} `,
      )
    )
      return false;
    // A quantity competes only with its own kind.
    if (type === 'quantity') return rival.key.split(' ')[1] === answer.key.split(' ')[1];
    return true;
  });
  if (rivals.length === 0) return false;
  const mine = share(asked, stemsIn(segmentAround(statement, answer)));
  return rivals.some((rival) => share(asked, stemsIn(segmentAround(statement, rival))) >= mine);
}

function correct(input: CheckInput, type: AnswerType): { ok: boolean; thought: string } {
  const asked = askedStems(input.question);
  const context = stemsIn(input.title ?? '');
  const statements = statementsOf(input.title, input.text);
  const pool = statements.map((statement) => ({
    statement,
    coverage: share(asked, new Set([...statement.stems, ...context])),
  }));
  const holds = (text: string): boolean =>
    type === 'list'
      ? listItems(input.answer).every((item) => findAnswer(item, 'phrase', text))
      : findAnswer(input.answer, type, text) !== undefined;
  const best = pool.reduce((max, { coverage }) => Math.max(max, coverage), 0);
  const supporting = pool.filter(
    ({ statement, coverage }) => coverage >= COVERAGE && coverage >= best && holds(statement.text),
  );
  const evidence = supporting[0];
  if (!evidence) return { ok: false, thought: 'No statement that fits the question holds this answer.' };
  // Another statement that fits as well and offers another answer of the kind makes the question ambiguous.
  const key = answerKey(input.answer, type);
  const found = findAnswer(input.answer, type, evidence.statement.text);
  if (found && type !== 'list') {
    const at: Candidate = { key: '', start: found.start, end: found.end };
    const own = candidatesOf(evidence.statement.text, type).find(
      (candidate) => candidate.start < at.end && candidate.end > at.start,
    );
    if (rivalled(evidence.statement.text, own ?? { ...at, key }, type, input.question, asked)) {
      return { ok: false, thought: 'The statement offers several answers of this kind.' };
    }
  }
  const others = pool.filter(
    ({ statement, coverage }) =>
      coverage >= evidence.coverage && statement !== evidence.statement && !holds(statement.text),
  );
  if (others.some(({ statement }) => candidatesOf(statement.text, type).length > 0)) {
    return { ok: false, thought: 'Another statement fits the question as well and gives another answer.' };
  }
  return { ok: true, thought: 'One statement fits the question and gives this answer alone.' };
}

export function check(input: CheckInput): CheckOutput {
  const type = answerTypeOf(input.answer, input.question, 'phrase', 'Other');
  const verdict = correct(input, type);
  const { leak } = findLeak({
    question: input.question,
    answer: input.answer,
    aliases: [],
    answerType: type,
    domain: 'Other',
  });
  const fault = findContextFault(input.question);
  return {
    thought: [
      verdict.thought,
      leak ? 'The question gives the answer away.' : '',
      fault ? 'The question is unclear by itself.' : '',
    ]
      .filter(Boolean)
      .join(' '),
    answerCorrect: verdict.ok,
    leaksAnswer: leak !== undefined,
    hasContext: fault === undefined,
  };
}
