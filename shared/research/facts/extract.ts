import type { Fact } from '../types.ts';
import { enter, headingOf, type Heading } from '../headings.ts';
import { headOf } from './head.ts';
import { normaliseText } from './normalise.ts';

/** What facts are read from: a document of a corpus or a page that was fetched, as text or Markdown. */
export interface FactSource {
  id: string;
  title: string;
  text: string;
}

const BULLET = /^\s*(?:[-*+•]|\d{1,3}[.)])\s+/;
const BOLD_KEY = /^(?:\*\*|__)(?<key>[^*_]+?)(?::\s*(?:\*\*|__)|(?:\*\*|__)\s*:)\s*(?<value>\S.*)$/;
const PLAIN_KEY = /^(?<key>[^:|]+?):\s+(?<value>\S.*)$/;
const ROW = /^\|(?<key>[^|]+)\|(?<value>[^|]+)\|?$/;
const RULE = /^[\s:|-]+$/;

const MAX_KEY_CHARS = 100;
const MAX_KEY_WORDS = 10;
/** A paragraph under a heading that is one statement, not a section. */
const MAX_PARAGRAPH_WORDS = 40;

const clean = (text: string): string => text.replace(/\*\*|__|`/g, '').trim();

/** A key names something in a few words; a sentence that happens to have a colon does not. */
function isKey(text: string): boolean {
  if (text.length === 0 || text.length > MAX_KEY_CHARS || !/\p{L}/u.test(text)) return false;
  return text.split(/\s+/).length <= MAX_KEY_WORDS && !/\p{Ll}{3}[.?!]\s|[?!.]$/u.test(text);
}

/**
 * The facts that a text states outright: `key: value` lines (in lists too), bold keys, rows of two columns, and
 * headings with one short paragraph. Lines are counted from 1. Headings that repeat the title are no part of a path.
 *
 * @param prefixed keys whose relation has its heading before it; default: those this text has under several headings.
 */
export function extractFacts(source: FactSource, prefixed?: ReadonlySet<string>): Fact[] {
  const facts: Fact[] = [];
  const title = normaliseText(source.title);
  const headings: Heading[] = [];
  const lines = source.text.split('\n');

  const add = (key: string, value: string, line: number, path: string[], text: string): void => {
    facts.push({
      documentId: source.id,
      title: source.title,
      path,
      key,
      relation: key,
      value,
      head: headOf(value),
      line,
      text,
    });
  };

  lines.forEach((raw, index) => {
    const line = raw.trim();
    if (line === '') return;
    const heading = headingOf(line);
    if (heading) {
      enter(headings, heading);
      const paragraph = loneParagraph(lines, index);
      if (paragraph && isKey(heading.text) && normaliseText(heading.text) !== title)
        add(
          heading.text,
          paragraph.text,
          paragraph.line,
          pathOf(headings.slice(0, -1), title),
          paragraph.text,
        );
      return;
    }
    const statement = statementOf(line, lines[index + 1]);
    if (statement) add(statement.key, statement.value, index + 1, pathOf(headings, title), raw);
  });
  return withRelations(facts, prefixed ?? ambiguousKeys(facts));
}

const pathOf = (headings: readonly { text: string }[], title: string): string[] =>
  headings.map(({ text }) => text).filter((text) => normaliseText(text) !== title);

function statementOf(line: string, next: string | undefined): { key: string; value: string } | undefined {
  const row = ROW.exec(line);
  // The row above a rule names the columns.
  if (row && (RULE.test(line) || (next !== undefined && next.includes('-') && RULE.test(next))))
    return undefined;
  const bare = line.replace(BULLET, '');
  const groups = (row ?? BOLD_KEY.exec(bare) ?? PLAIN_KEY.exec(bare))?.groups;
  if (!groups) return undefined;
  const key = clean(groups.key!).replace(/:$/, '');
  const value = clean(groups.value!);
  return isKey(key) && value !== '' ? { key, value } : undefined;
}

/** The only paragraph under a heading, where it is short and no list, table or `key: value` line. */
function loneParagraph(
  lines: readonly string[],
  heading: number,
): { line: number; text: string } | undefined {
  let found: { line: number; text: string } | undefined;
  for (let index = heading + 1; index < lines.length; index++) {
    const text = lines[index]!.trim();
    if (text === '') continue;
    if (headingOf(text)) break;
    if (found || BULLET.test(text) || text.startsWith('|') || statementOf(text, undefined)) return undefined;
    found = { line: index + 1, text };
  }
  return found && found.text.split(/\s+/).length <= MAX_PARAGRAPH_WORDS ? found : undefined;
}

/** Keys that stand under several headings, such as `total` under `Area` and under `Population`. */
export function ambiguousKeys(facts: readonly Pick<Fact, 'key' | 'path'>[]): Set<string> {
  const under = new Map<string, string>();
  const several = new Set<string>();
  for (const { key, path } of facts) {
    const heading = path.at(-1) ?? '';
    const before = under.get(key);
    if (before === undefined) under.set(key, heading);
    else if (before !== heading) several.add(key);
  }
  return several;
}

/** `Area - total`: the relation of a key that is ambiguous without its heading. */
export const relationOf = (key: string, path: readonly string[], prefixed: boolean): string =>
  prefixed && path.length > 0 ? `${path.at(-1)!} - ${key}` : key;

function withRelations(facts: Fact[], prefixed: ReadonlySet<string>): Fact[] {
  for (const fact of facts) fact.relation = relationOf(fact.key, fact.path, prefixed.has(fact.key));
  return facts;
}
