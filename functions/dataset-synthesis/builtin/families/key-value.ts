import type { AnswerType } from '../../records.ts';
import { ATTRIBUTES, type Attribute } from '../attributes/index.ts';
import { commonCase, type Fact } from '../fact.ts';
import type { KeyValueLine } from '../page.ts';
import type { Subject } from '../subject.ts';
import { plainList, readValue, type Value } from '../values.ts';
import { genericFact } from './generic-key.ts';

/** Facts of `Key: value` lines (family 1 of specification section 6). */

/** What a line's document says beside it. */
export interface About {
  subject: Subject;
  /** "leke (ALL) per US dollar", where a line states the currency that others count in. */
  currency?: string;
}

/** The currency that a `Currency` line states for exchange rates. */
export function currencyOf(lines: KeyValueLine[]): string | undefined {
  const line = lines.find(({ path }) => path.length > 1 && path.at(-1)!.toLowerCase() === 'currency');
  return line && /^(\p{L}[\p{L} ]*(?:\([A-Z]{3}\) )?per US dollar)\b/u.exec(line.value)?.[1];
}

const byKey = new Map<string, Attribute[]>();

/** Attributes that match a key, found by trying all of them once a distinct key. */
function attributesFor(key: string): Attribute[] {
  let found = byKey.get(key);
  if (!found) {
    found = ATTRIBUTES.filter((attribute) => attribute.key.test(key));
    if (byKey.size > 5000) byKey.clear();
    byKey.set(key, found);
  }
  return found;
}

/** Parts of a list value; separators inside brackets do not count. */
function parts(text: string, mark: ';' | ','): string[] {
  return text
    .replace(/\s+note\b.*$/i, '')
    .split(mark === ';' ? /;\s*(?![^(]*\))/ : /,\s*(?![^(]*\))/)
    .map((part) => part.trim())
    .filter(Boolean);
}

/** Fills a question's slots; undefined where one has no value. */
function fill(question: string, slots: Record<string, string | undefined>): string | undefined {
  let complete = true;
  const text = question.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = slots[name];
    if (value === undefined) complete = false;
    return value ?? '';
  });
  return complete ? text.replace(/\s+/g, ' ') : undefined;
}

/** A lake's name with the word for it; undefined where it is not known on which side that stands. */
function lakeName(name: string): string | undefined {
  if (/\b(?:lakes?|lagos?|lagoa|laguna|lac|loch|lough|sea|embalse|represa|reservoir)\b/i.test(name)) {
    return name;
  }
  return name.includes(' ') ? undefined : `Lake ${name}`;
}

const ARTICLED = /^(?:USA?|UK|UAE|EU|Netherlands|Philippines|Bahamas|United .*|.* (?:Republic|Islands))$/;

/** A trade partner as a sentence names it. */
const partnerName = (name: string): string => (ARTICLED.test(name) ? `the ${name}` : name);

/** A year as part of the question: estimates say so where no adjective does. */
const yearSlot = (value: Value, year: string, question: string): string =>
  value.estimated && !/\{est\}|estimated/.test(question) ? `${year} (estimate)` : year;

function ask(
  line: KeyValueLine,
  key: string,
  attribute: Attribute,
  value: Value,
  bare: string,
  about: About,
): Fact | undefined {
  const match = attribute.value.exec(bare);
  const groups = match?.groups;
  if (!groups?.a) return undefined;
  const keyGroups = attribute.key.exec(key)?.groups ?? {};
  const year = value.year ?? line.keyYear;
  const spelling = (text: string): string => (attribute.capitals ? commonCase(text) : text);
  const name = groups.n === undefined ? undefined : spelling(groups.n);
  const question = fill(attribute.question, {
    ...keyGroups,
    ...groups,
    n: name,
    partner: name === undefined ? undefined : partnerName(name),
    lake: name === undefined ? undefined : lakeName(name),
    s: about.subject.name,
    currency: about.currency,
    y: year === undefined ? undefined : yearSlot(value, year, attribute.question),
    est: value.estimated ? 'estimated ' : '',
  });
  if (question === undefined) return undefined;
  let answer = groups.a.trim();
  let type: AnswerType;
  if (attribute.type === 'list') {
    const items = plainList(answer);
    if (!items) return undefined;
    answer = items.join('; ');
    type = 'list';
  } else if (attribute.type) type = attribute.type;
  else if (/^\p{L}|^\./u.test(answer)) {
    answer = spelling(answer);
    type = /^\p{Lu}/u.test(answer) ? 'name' : 'phrase';
  } else
    type = /^[-−]?\d[\d,.]*(?: (?:thousand|million|billion|trillion))?$/.test(answer) ? 'number' : 'quantity';
  const aliases = groups.alias ? [groups.alias.trim()] : [];
  return {
    family: 'key-value',
    question,
    answer,
    answerType: type,
    aliases: aliases.filter((alias) => alias !== answer),
    evidence: line.raw,
    score: attribute.score ?? 1,
    group: attribute.group ?? key,
  };
}

/** Every fact of one line. */
export function keyValueFacts(line: KeyValueLine, about: About): Fact[] {
  const key = line.path.join(' - ').toLowerCase();
  const attributes = attributesFor(key);
  if (attributes.length === 0) {
    const fact = genericFact(line, about.subject);
    return fact ? [fact] : [];
  }
  const whole = readValue(line.value);
  const out: Fact[] = [];
  for (const attribute of attributes) {
    if (attribute.split) {
      for (const part of parts(whole.bare, attribute.split)) {
        const own = readValue(part);
        const fact = ask(
          line,
          key,
          attribute,
          { ...whole, ...(own.year ? { year: own.year } : {}) },
          own.bare,
          about,
        );
        if (fact) out.push(fact);
      }
      continue;
    }
    // Offices are read with their "(since ...)" in place.
    const offices =
      /\\\(since/.test(attribute.value.source) ||
      /\\\(from/.test(attribute.value.source) ||
      /established/.test(attribute.value.source) ||
      /seats/.test(attribute.question);
    const bare = offices ? line.value.replace(/\s*\(\d{4}\)$/, '') : whole.bare;
    const tail = offices ? '' : whole.tail;
    if (tail !== '' && !(attribute.tail ?? /^$/).test(tail)) continue;
    const fact = ask(line, key, attribute, whole, bare, about);
    if (fact) out.push(fact);
  }
  return out;
}
