import { countTokens } from '#shared/text/tokens.ts';

/** Sections of a page: what one call of browse_page gives. */

export const SECTION_TOKENS = 8000;
/** A section ends at the last paragraph break in this last share of it. */
const TAIL = 0.1;
/** Longer lines are counted, and may be cut, in slices. */
const SLICE_CHARS = 1000;

/** UTF-16 offsets of a section. */
export interface Section {
  start: number;
  end: number;
}

/**
 * Cuts a text into sections of at most 8,000 tokens of o200k_base, counted line by line: each ends at the last
 * paragraph break in its final tenth, else at a line end, else (a line longer than a section) between words. They
 * cover the whole text; an empty text is one section.
 */
export function sectionsOf(text: string, most = SECTION_TOKENS): Section[] {
  const sections: Section[] = [];
  let start = 0;
  let tokens = 0;
  /** Where the section may end, latest of each kind, with the tokens up to there. */
  let paragraph: { at: number; tokens: number } | undefined;
  let line: { at: number; tokens: number } | undefined;
  let blank = false;

  for (const piece of piecesOf(text)) {
    const count = countTokens(text.slice(piece.start, piece.end));
    while (tokens + count > most && piece.start > start) {
      const cut = paragraph ?? line ?? { at: piece.start, tokens };
      sections.push({ start, end: cut.at });
      start = cut.at;
      tokens -= cut.tokens;
      paragraph = undefined;
      line = line && line.at > start ? { at: line.at, tokens: line.tokens - cut.tokens } : undefined;
    }
    tokens += count;
    if (!piece.ends) continue;
    line = { at: piece.end, tokens };
    const empty = text.slice(piece.start, piece.end).trim() === '';
    if (empty && !blank && tokens >= most * (1 - TAIL)) paragraph = line;
    blank = empty;
  }
  sections.push({ start, end: text.length });
  return sections;
}

/** Lines with their newline; long ones in slices, of which only the last ends a line. */
function* piecesOf(text: string): Generator<{ start: number; end: number; ends: boolean }> {
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline + 1;
    while (end - at > 2 * SLICE_CHARS) {
      const space = text.lastIndexOf(' ', at + SLICE_CHARS);
      let cut = space > at ? space + 1 : at + SLICE_CHARS;
      // Never between the halves of a character.
      if (/[\udc00-\udfff]/.test(text[cut]!)) cut--;
      yield { start: at, end: cut, ends: false };
      at = cut;
    }
    yield { start: at, end, ends: true };
    at = end;
  }
}
