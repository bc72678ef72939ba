import type { AnswerType } from '../../records.ts';
import { capitalise, type Fact } from '../fact.ts';
import type { KeyValueLine } from '../page.ts';
import type { Subject } from '../subject.ts';
import { PATTERN, plainList, readValue } from '../values.ts';

/** Questions for keys that no attribute describes, by the kind of key and value. Says nothing where unsure. */

const PARTICIPLE =
  /^(?:built|founded|opened|established|completed|introduced|discovered|invented|published|launched|adopted|released|inaugurated|incorporated|consecrated|first published|first released|constructed|commissioned|isolated|named|dissolved|demolished|restored|patented|premiered)$/;
const MAKER =
  /^(?:author|architect|designer|inventor|discoverer|composer|founder|sculptor|painter|illustrator|translator|engineer|chief engineer|creator|original author|developer|builder|lyricist|librettist|playwright|poet|director)$/;
const OFFICE =
  /^(?:mayor|lord mayor|president|director|head|head teacher|headteacher|principal|chancellor|vice[- ]chancellor|chair|chairman|chairwoman|chief executive|ceo|editor|rector|dean|governor|manager|captain|conductor)$/;
/** Things that change: their line must say when. */
const CHANGING =
  /\b(?:population|inhabitants|price|cost|fee|fees|admission|revenue|turnover|profit|employees|staff|members|membership|students|pupils|visitors|passengers|enrolment|enrollment|subscribers|users|rate|gdp|income|budget|debt|exports?|imports?|version|unemployment|inflation|rank|ranking|price|speed limit|attendance|households?|ridership|salary|wages?)\b/;
/** Keys that describe the page rather than its subject, or ask for too much. */
const UNFIT =
  /\b(?:note|notes|source|sources|reference|references|see also|link|links|website|web site|url|email|e-mail|telephone|phone|fax|address|contact|copyright|licence|license|tags?|category|categories|image|photo|caption|coordinates|description|overview|summary|background|comparative|example|examples|history|etymology|updated|last|date|time|page|id|isbn|doi|opening hours|hours|step|tip|warning|nb|ps|question|answer|ingredients|method|serves|parameters|returns|usage|syntax|current|issues|participation|structure|distribution|policy|status|type|types|other|others|total|male|female)\b/;
const NOUN_KEY =
  /^(?:[a-z][a-z'-]+ ){0,3}(?!(?:of|by|in|on|at|to|for|from|since|after|held|begun)$)[a-z][a-z'-]+$/;
/** Plurals that are measured, not counted. */
const MEASURED =
  /\b(?:rates|prices|costs|fees|expenditures|expenses|revenues|emissions|reserves|resources|sales|exports|imports|earnings|losses|taxes|wages|savings|sales)$/;
const PLURAL_LIST = /(?:s|crafts|people)$/;

const PROPER =
  /^(?:Tibetan|Nepali|Latin|French|German|English|Spanish|Italian|Portuguese|Dutch|Greek|Chinese|Japanese|Russian|Arabic|Scottish|Welsh|Irish|American|British|European|African|Asian|Olympic|Nobel|World|Roman|Celtic)\b/;

/** A key inside a sentence: only an ordinary first word loses its capital. */
const lower = (key: string): string =>
  /^\p{Lu}{2,}|^\S*\p{Ll}\p{Lu}/u.test(key) || PROPER.test(key)
    ? key
    : key.charAt(0).toLowerCase() + key.slice(1);

function typed(bare: string): { answer: string; type: AnswerType; alias?: string } | undefined {
  for (const [kind, type] of [
    ['number', 'number'],
    ['quantity', 'quantity'],
    ['percent', 'quantity'],
    ['money', 'quantity'],
    ['name', 'name'],
  ] as const) {
    // "7.4% of GDP" needs its second half.
    const groups = kind === 'percent' && / of /.test(bare) ? undefined : PATTERN[kind].exec(bare)?.groups;
    if (groups?.a) return { answer: groups.a, type, ...(groups.alias ? { alias: groups.alias } : {}) };
  }
  return undefined;
}

/** Where a thing lies. */
const PLACES = /^(?:country|county|state|province|region|district|city|continent|river|sea|ocean)$/;

const YEAR = /^(?:1[0-9]|20)\d{2}$/;
const FULL_DATE =
  /^(?:\d{1,2} (?:January|February|March|April|May|June|July|August|September|October|November|December) (?:1\d|20)\d{2}|(?:January|February|March|April|May|June|July|August|September|October|November|December) \d{1,2}, (?:1\d|20)\d{2})$/;

/** The question of a line whose key no attribute knows, where key and value are plain; undefined otherwise. */
export function genericFact(line: KeyValueLine, subject: Subject): Fact | undefined {
  if (line.path.length !== 1) return undefined;
  const key = lower(line.path[0]!.trim());
  const value = readValue(line.value);
  if (value.tail !== '' || UNFIT.test(key)) return undefined;
  const fact = (
    question: string,
    answer: string,
    answerType: AnswerType,
    score: 1 | 2 | 3,
    alias?: string,
  ): Fact => ({
    family: 'key-value',
    question: capitalise(question),
    answer,
    answerType,
    aliases: alias ? [alias] : [],
    evidence: line.raw,
    score,
    group: key,
  });
  const s = subject.name;

  const participle = key.replace(/^(?:date|year) (?:of )?/, '');
  if (PARTICIPLE.test(participle)) {
    if (YEAR.test(value.bare)) return fact(`in what year was ${s} ${participle}?`, value.bare, 'date', 3);
    if (FULL_DATE.test(value.bare))
      return fact(`on what date was ${s} ${participle}?`, value.bare, 'date', 3);
    return undefined;
  }
  if (key === 'born' || key === 'died') {
    const question = key === 'born' ? `was ${s} born?` : `did ${s} die?`;
    if (YEAR.test(value.bare)) return fact(`in what year ${question}`, value.bare, 'date', 3);
    if (FULL_DATE.test(value.bare)) return fact(`on what date ${question}`, value.bare, 'date', 3);
    return undefined;
  }
  const by = /^(\w+(?:ed|ten|wn|ilt)) by$/.exec(key);
  const person = PATTERN.name.exec(value.bare)?.groups;
  if (by && person?.a) return fact(`by whom was ${s} ${by[1]}?`, person.a, 'name', 3);
  if (MAKER.test(key))
    return person?.a ? fact(`who was the ${key} of ${s}?`, person.a, 'name', 3) : undefined;
  if (OFFICE.test(key)) {
    if (!person?.a || !value.since) return undefined;
    return fact(
      `who has been ${/^(?:mayor|chair|head|principal|director)/.test(key) ? key : `the ${key}`} of ${s} since ${value.since}?`,
      person.a,
      'name',
      3,
    );
  }
  if (!NOUN_KEY.test(key.toLowerCase()) || key.split(' ').length > 4) return undefined;
  if (person?.a && !value.year && PLACES.test(key)) {
    if (/^(?:river|sea|ocean)$/.test(key)) return fact(`on which ${key} does ${s} lie?`, person.a, 'name', 2);
    return fact(`in which ${key} is ${s}?`, person.a, 'name', 1);
  }
  const items = plainList(value.bare);
  if (items && PLURAL_LIST.test(key)) {
    return value.year
      ? fact(`what were the ${key} of ${s} in ${value.year}?`, items.join('; '), 'list', 1)
      : CHANGING.test(key)
        ? undefined
        : fact(`what are the ${key} of ${s}?`, items.join('; '), 'list', 1);
  }
  if (/^(?:NA|N\/A|None|Unknown|Yes|No|TBD|Various|Varies|Unspecified)\b/i.test(value.bare)) return undefined;
  const plain = typed(value.bare);
  if (!plain) return undefined;
  const est = value.estimated ? 'estimated ' : '';
  const plural = /[^s]s$/.test(key);
  if (value.year && !value.year.includes('-')) {
    if (plural && plain.type === 'number' && !MEASURED.test(key))
      return fact(
        `how many ${key} did ${s} have in ${value.year}${value.estimated ? ' (estimate)' : ''}?`,
        plain.answer,
        plain.type,
        3,
      );
    return fact(
      `what ${plural ? 'were' : 'was'} the ${est}${key} of ${s} in ${value.year}?`,
      plain.answer,
      plain.type,
      3,
      plain.alias,
    );
  }
  // A bare year under a noun tells when something was, and the noun alone does not say what.
  if (YEAR.test(value.bare)) return undefined;
  if (CHANGING.test(key.toLowerCase()) || value.since) return undefined;
  if (MEASURED.test(key)) return undefined;
  if (plural && plain.type === 'number')
    return fact(`how many ${key} does ${s} have?`, plain.answer, plain.type, 2);
  if (plural) return undefined;
  return fact(
    `what is the ${key} of ${s}?`,
    plain.answer,
    plain.type,
    plain.type === 'name' ? 2 : 3,
    plain.alias,
  );
}
