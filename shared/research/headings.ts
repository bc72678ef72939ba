/** Headings of Markdown text, and which of them stand above a line. */

const START = /^(#{1,6})\s+(\S.*)$/;

export interface Heading {
  /** 1 to 6. */
  level: number;
  text: string;
}

/** The heading that a line is, without its marks; undefined for any other line. Linear in the line. */
export function headingOf(line: string): Heading | undefined {
  if (!line.startsWith('#')) return undefined;
  const match = START.exec(line);
  if (!match) return undefined;
  let text = match[2]!.trimEnd();
  let end = text.length;
  while (end > 0 && text[end - 1] === '#') end--;
  // A closing run of marks stands apart from the words.
  if (end === 0) return undefined;
  if (end < text.length && /\s/.test(text[end - 1]!)) text = text.slice(0, end).trimEnd();
  return { level: match[1]!.length, text: text.replace(/\*\*|__|`/g, '').trim() };
}

/** Adds a heading to a path, in place: those of its level and below end. */
export function enter(path: Heading[], heading: Heading): void {
  while (path.length > 0 && path.at(-1)!.level >= heading.level) path.pop();
  path.push(heading);
}
