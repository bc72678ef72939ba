import { answerKey, answerTypeOf, listItems } from '../gates/answers.ts';
import { findContextFault } from '../gates/context.ts';
import { contentStems, factsOf } from '../gates/facts.ts';
import { findAnswer } from '../gates/grounding.ts';
import { findLeak } from '../gates/leakage.ts';
import { STOP_WORDS } from '#shared/text/stop-words.ts';
import { ASKING_WORDS } from '../lexicon/index.ts';
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

/** A statement of the document: a line, a cell with its row and column, or a sentence. */
interface Statement {
  /** Key of a line, row and column of a cell; empty for a sentence. */
  head: string;
  body: string;
  /** Content stems of both. */
  stems: Set<string>;
  /** Content stems of the head alone. */
  headStems: Set<string>;
}

const statementsMemo = new Map<string, Statement[]>();
const MEMO_LIMIT = 32;

function stemsIn(text: string): Set<string> {
  const set = new Set(contentStems(text));
  if (text.includes('%')) for (const word of ['percent', 'percentage']) set.add(stem(word));
  return set;
}

function statement(head: string, body: string): Statement {
  const headStems = stemsIn(head);
  return { head, body, headStems, stems: new Set([...headStems, ...stemsIn(body)]) };
}

function statementsOf(title: string | undefined, text: string): Statement[] {
  const key = `${title ?? ''}\u0000${text}`;
  let statements = statementsMemo.get(key);
  if (!statements) {
    statements = pageOf(title, text).blocks.flatMap((block) => {
      if (block.kind === 'prose') return block.sentences.map((sentence) => statement('', sentence.text));
      if (block.kind === 'key-value') {
        const at = block.raw.length - block.value.length;
        return [statement(block.raw.slice(0, at), block.raw.slice(at))];
      }
      return block.rows.flatMap((row) =>
        row.cells
          .slice(1)
          .map((cell, index) =>
            statement(`${block.header[0]} ${row.cells[0]} ${block.header[index + 1] ?? ''}`, cell),
          ),
      );
    });
    if (statementsMemo.size >= MEMO_LIMIT) statementsMemo.delete(statementsMemo.keys().next().value!);
    statementsMemo.set(key, statements);
  }
  return statements;
}

interface Candidate {
  key: string;
  start: number;
  end: number;
}

const NAMES =
  /\p{Lu}[\p{L}\p{M}'’.-]*(?:[ -](?:(?:of|de|da|del|the|van|von|la|le) )*\p{Lu}[\p{L}\p{M}'’.-]*)*/gu;

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
      return [...text.matchAll(NAMES)]
        .map((match) => ({ key: fold(match[0]), start: match.index, end: match.index + match[0].length }))
        .filter(({ key }) => !STOP_WORDS.has(key));
    default:
      return [];
  }
}

/** The dimension of a quantity; empty for everything else. */
const kindOf = (candidate: Candidate): string =>
  /^-?[\d.]+(?:e[+-]\d+)? (.*)$/.exec(candidate.key)?.[1] ?? '';

/** The stretch of a text around a candidate in which it keeps its object. */
function segmentAround(text: string, at: Candidate): string {
  const marks = [...text.matchAll(/[;,](?!\d{3})|\)\s|\s(?:and|but|while|or)\s/g)];
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

/** Words of one family often differ in their endings only: legislature, legislative. */
const FAMILY_PREFIX = 6;

function has(given: Set<string>, wanted: string): boolean {
  if (given.has(wanted)) return true;
  if (wanted.length < FAMILY_PREFIX || /\d/.test(wanted)) return false;
  const prefix = wanted.slice(0, FAMILY_PREFIX);
  for (const word of given) if (word.startsWith(prefix)) return true;
  return false;
}

/** Share of wanted stems that any of the given sets holds. */
function share(wanted: string[], ...given: Set<string>[]): number {
  if (wanted.length === 0) return 0;
  return wanted.filter((word) => given.some((set) => has(set, word))).length / wanted.length;
}

interface Asked {
  /** Content stems that the evidence must hold. */
  required: string[];
  /** Those, and the asking words: between statements they may decide. */
  all: string[];
}

function askedStems(question: string): Asked {
  const words = wordsOf(question)
    .map((word) => word.key.replace(/'s?$/, ''))
    .filter((word) => word !== '' && !STOP_WORDS.has(word));
  const stems = (list: string[]): string[] => [...new Set(list.map(stem))];
  return { required: stems(words.filter((word) => !ASKING_WORDS.has(word))), all: stems(words) };
}

/** Whether a rival candidate of the statement fits the question as well as the answer does. */
function rivalled(
  evidence: Statement,
  answer: Candidate,
  type: AnswerType,
  question: string,
  asked: Asked,
): boolean {
  const text = evidence.body;
  const mentioned = factsOf(question).words;
  // "Mila Rodino" (Dear Homeland): brackets right behind the answer hold its other spelling.
  const gloss = /^["”']?\s*\([^)]*\)/.exec(text.slice(answer.end));
  const glossEnd = answer.end + (gloss?.[0].length ?? 0);
  const rivals = candidatesOf(text, type).filter((rival) => {
    if (rival.key === answer.key || (rival.start < answer.end && rival.end > answer.start)) return false;
    if (type === 'name' && rival.start < glossEnd && rival.start >= answer.end) return false;
    const words = wordsOf(text.slice(rival.start, rival.end)).map((word) => word.key);
    if (mentioned.includes(` ${words.join(' ')} `)) return false;
    // A date competes with equally fine ones, a quantity with its own kind.
    if (type === 'date') return rival.key.length === answer.key.length;
    return type !== 'quantity' || kindOf(rival) === kindOf(answer);
  });
  if (rivals.length === 0) return false;
  const fit = (candidate: Candidate): number =>
    share(asked.all, stemsIn(segmentAround(text, candidate)), evidence.headStems);
  const mine = fit(answer);
  return rivals.some((rival) => fit(rival) >= mine);
}

function correct(input: CheckInput, type: AnswerType): { ok: boolean; thought: string } {
  const asked = askedStems(input.question);
  const context = stemsIn(input.title ?? '');
  const given = new Set([...asked.all, ...context]);
  const pool = statementsOf(input.title, input.text).map((candidate) => ({
    statement: candidate,
    // Of equal statements, the one whose key says least beyond the question is meant.
    fit: share(asked.all, candidate.stems, context) + share([...candidate.headStems], given) / 1000,
  }));
  const holds = ({ head, body }: Statement): boolean =>
    type === 'list'
      ? listItems(input.answer).every((item) => findAnswer(item, 'phrase', body))
      : findAnswer(input.answer, type, body) !== undefined ||
        (head !== '' && findAnswer(input.answer, type, head) !== undefined);
  const fitting = pool.filter(
    ({ statement: { stems } }) => share(asked.required, stems, context) >= COVERAGE,
  );
  const best = fitting.reduce((max, { fit }) => Math.max(max, fit), 0);
  const foremost = fitting.filter(({ fit }) => fit === best).map((entry) => entry.statement);
  const evidence = foremost.find(holds);
  if (!evidence)
    return { ok: false, thought: 'The statement that fits the question best does not hold this answer.' };
  const found = findAnswer(input.answer, type, evidence.body);
  if (found && type !== 'list') {
    const candidates = candidatesOf(evidence.body, type);
    const own = candidates.find((candidate) => candidate.start < found.end && candidate.end > found.start);
    const answer = { key: own?.key ?? answerKey(input.answer, type), start: found.start, end: found.end };
    if (rivalled(evidence, answer, type, input.question, asked)) {
      return { ok: false, thought: 'The statement offers several answers of this kind.' };
    }
  }
  // Another statement that fits as well and offers another answer of the kind makes the question ambiguous.
  const kinds = new Set(candidatesOf(evidence.body, type).map(kindOf));
  const others = foremost.filter(
    (other) =>
      !holds(other) && candidatesOf(other.body, type).some((candidate) => kinds.has(kindOf(candidate))),
  );
  if (others.length > 0)
    return { ok: false, thought: 'Another statement fits the question as well and gives another answer.' };
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
