import { scanDates, isoDate, type DateMention } from '#shared/text/dates.ts';
import type { Clause } from '../clause.ts';
import { selfContained } from '../clause.ts';
import type { Fact } from '../fact.ts';
import type { Token } from '../nlp.ts';
import { infinitive } from '../verbs.ts';

/** "In what year was {subject} {participle} ...?" from past clauses that state one date (family 2). */

const asked = (date: DateMention): string | undefined => {
  if (date.year === undefined || date.century !== undefined || date.decade !== undefined) return undefined;
  if (date.day !== undefined) return 'On what date';
  if (date.month !== undefined) return 'In what month and year';
  return 'In what year';
};

const LEAD = /(?:^|\s)(?:in|on|in the year)\s+$/i;
const PARTICIPLE = /(?:ed|en|wn|ne|lt|nt|de|ught|ld|un|id|ung|st|aid|ut|et|ost|rn|ck|it)$/;
/** What may follow the date and belongs to the clause. */
const ADJUNCT = /^ (by|from|to|at|as|with|under|near|between|for|after) [^,;.]+$/;
const STOPS = /^(?:[,;]| and | but | when | where | while | although | because | before | after which| who )/;

function split(
  clause: Clause,
  date: DateMention,
  offset: number,
): { before: string; after: string } | undefined {
  const start = date.start - offset;
  const end = date.end - offset;
  const before = clause.predicate.slice(0, start);
  const lead = LEAD.exec(before);
  if (!lead) return undefined;
  return { before: before.slice(0, lead.index).trim(), after: clause.predicate.slice(end) };
}

/** Finite verbs inside the part kept would make a second clause. */
const secondVerb = (tokens: Token[], from: number, to: number): boolean =>
  tokens.some(
    (token, index) =>
      index > 0 &&
      token.start >= from &&
      token.end <= to &&
      token.pos === 'AUX' &&
      /^(?:was|were|is|are|has|had)$/.test(token.text),
  );

/** Facts about the dates of one clause. */
export function dateFacts(clause: Clause): Fact[] {
  if (!clause.named) return [];
  const first = clause.rest[0]!;
  const offset = first.start;
  const dates = scanDates(clause.predicate).filter((date) => date.year !== undefined);
  const out: Fact[] = [];
  // Only the clause's first date surely belongs to its first verb.
  const date = dates[0];
  if (!date) return out;
  const asks = asked(date);
  if (!asks) return out;
  const shifted = { ...date, start: date.start + offset, end: date.end + offset };
  const halves = split(clause, shifted, offset);
  if (!halves) return out;
  let { before } = halves;
  // "was opened in 1894 and rebuilt": the date closes the first clause.
  let adjunct = '';
  if (halves.after !== '' && !STOPS.test(halves.after)) {
    if (!ADJUNCT.test(halves.after) || !selfContained(halves.after) || scanDates(halves.after).length > 0)
      return out;
    adjunct = halves.after.replace(/\s+and\s+.*$/, '');
  } else if (/^ and \w+ (?:\d|by )/.test(halves.after)) return out;
  before = before.replace(/,$/, '');
  if (/,|\band\b.*\b\w+ed\b/.test(before) || !selfContained(before) || before.split(' ').length > 16)
    return out;
  if (secondVerb(clause.rest, offset, date.start + offset)) return out;
  const words = before.split(' ');
  let question: string | undefined;
  if (/^(?:was|were)$/.test(words[0]!)) {
    const participle = words
      .slice(1)
      .find((word) => !/^(?:first|officially|originally|formally|finally|also|later)$/.test(word));
    if (!participle || !PARTICIPLE.test(participle)) return out;
    question = `${asks} ${words[0]} ${clause.subject} ${words
      .slice(1)
      .filter((word) => !/^(?:also|later|finally|subsequently)$/.test(word))
      .join(' ')}${adjunct}?`;
  } else if (first.pos === 'VERB' && /^[a-z]+$/.test(words[0]!) && !/s$|ing$/.test(words[0]!)) {
    const verb = infinitive(words[0]!);
    if (!verb) return out;
    question = `${asks} did ${clause.subject} ${[verb, ...words.slice(1)].join(' ')}${adjunct}?`;
  }
  if (!question) return out;
  out.push({
    family: 'date',
    question,
    answer: date.text,
    answerType: 'date',
    aliases: [],
    evidence: clause.sentence,
    score: words.length + adjunct.split(' ').length > 3 ? 3 : 2,
    group: `date/${isoDate(date)}/${clause.subject}`,
  });
  return out;
}
