import type { Fact } from '#shared/research/types.ts';
import { normaliseText } from '#shared/research/facts/normalise.ts';

/** What documents are about. */

/** A suffix of titles is a section's name from this many documents on. */
const SECTION_DOCUMENTS = 5;

/**
 * Entities by document title: the title, or what stands before its last colon where other documents have the same
 * section (`Albania: Geography`, `Chile: Geography`).
 */
export function entityNames(titles: Iterable<string>): (title: string) => string {
  const sections = new Map<string, number>();
  const split = (title: string): [string, string] | undefined => {
    const at = title.lastIndexOf(': ');
    return at > 0 ? [title.slice(0, at).trim(), title.slice(at + 2).trim()] : undefined;
  };
  for (const title of titles) {
    const section = split(title)?.[1];
    if (section !== undefined) sections.set(section, (sections.get(section) ?? 0) + 1);
  }
  return (title) => {
    const parts = split(title);
    return parts && (sections.get(parts[1]) ?? 0) >= SECTION_DOCUMENTS ? parts[0] : title;
  };
}

/** Whether a text has another as whole words, in the normal form of facts. */
export function holds(text: string, part: string): boolean {
  const wanted = normaliseText(part);
  return wanted !== '' && ` ${normaliseText(text)} `.includes(` ${wanted} `);
}

/** Whether a fact states one value: no list follows its head, but for what is in parentheses. */
export function isSingleValued({ value, head }: Pick<Fact, 'value' | 'head'>): boolean {
  const rest = value.slice(value.indexOf(head) + head.length).replace(/\([^()]*\)/g, ' ');
  return !/;|,(?!\d{3})/.test(rest) && !/^\s*(?:and|or)\s/.test(rest);
}

/** Whether a value names something, rather than being a sentence, a mark or nothing. */
export const isName = (text: string): boolean =>
  /^[\p{L}\p{N}"'~<>$€£+-]/u.test(text) &&
  // Addresses, and references to what is not here.
  !/[@[\]]/.test(text) &&
  !/[.!?]$/.test(text.split(/\s+/).length > 3 ? text : '') &&
  !/^(?:na|n\/a|none|no|yes|unknown|not available|nil|-+)$/i.test(text.trim());
