import type { AnswerType } from '../../records.ts';
import { ATTRIBUTES, type Attribute } from '../attributes/index.ts';
import { commonCase, type Fact } from '../fact.ts';
import type { KeyValueLine } from '../page.ts';
import type { Subject } from '../subject.ts';
import { plainList, readValue, type Value } from '../values.ts';
import { genericFact } from './generic-key.ts';

/** Facts of `Key: value` lines (family 1 of specification section 6). */

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

const lakeName = (name: string): string =>
  /\b(?:lake|lago|laguna|lac)\b/i.test(name) ? name : `Lake ${name}`;

/** A year as part of the question: estimates say so where no adjective does. */
const yearSlot = (value: Value, year: string, question: string): string =>
  value.estimated && !/\{est\}|estimated/.test(question) ? `${year} (estimate)` : year;

function ask(
  line: KeyValueLine,
  key: string,
  attribute: Attribute,
  value: Value,
  bare: string,
  subject: Subject,
): Fact | undefined {
  const match = attribute.value.exec(bare);
  const groups = match?.groups;
  if (!groups?.a) return undefined;
  const keyGroups = attribute.key.exec(key)?.groups ?? {};
  const year = value.year ?? line.keyYear;
  const name = groups.n === undefined ? undefined : commonCase(groups.n);
  const question = fill(attribute.question, {
    ...keyGroups,
    ...groups,
    n: name,
    lake: name === undefined ? undefined : lakeName(name),
    s: subject.name,
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
    answer = commonCase(answer);
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

/** Every fact of one line about `subject`. */
export function keyValueFacts(line: KeyValueLine, subject: Subject): Fact[] {
  const key = line.path.join(' - ').toLowerCase();
  const attributes = attributesFor(key);
  if (attributes.length === 0) {
    const fact = genericFact(line, subject);
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
          subject,
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
    const fact = ask(line, key, attribute, whole, bare, subject);
    if (fact) out.push(fact);
  }
  return out;
}
