import { enter, headingOf, type Heading } from '../headings.ts';

/** Passages of a document: what search finds (specification deep-research, section 6). */

export const PASSAGE_WORDS = 180;
export const PASSAGE_OVERLAP = 30;
/** Lines longer than a passage are cut into pieces of about this many words. */
const PIECE_WORDS = 90;
/** A last line longer than this is not repeated in the next passage. */
const MAX_OVERLAP = 60;

export interface Passage {
  /** UTF-16 offsets into the document's text. */
  start: number;
  end: number;
  /** Headings above its first line, joined by ` › `; empty without any. */
  heading: string;
}

interface Piece {
  start: number;
  end: number;
  words: number;
  heading: string;
}

/** Words of a text: runs without white space. */
function countWords(text: string): number {
  let words = 0;
  let inside = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const blank = code === 32 || (code >= 9 && code <= 13) || code === 160;
    if (!blank && !inside) words++;
    inside = !blank;
  }
  return words;
}

/**
 * Cuts a text into passages of at most 180 words that overlap by about 30, at line ends; a line that is longer is cut
 * at sentence ends where it has some, else between words.
 */
export function passagesOf(text: string): Passage[] {
  const pieces = piecesOf(text);
  const passages: Passage[] = [];
  let from = 0;
  while (from < pieces.length) {
    let to = from;
    let words = 0;
    while (to < pieces.length && (to === from || words + pieces[to]!.words <= PASSAGE_WORDS))
      words += pieces[to++]!.words;
    passages.push({ start: pieces[from]!.start, end: pieces[to - 1]!.end, heading: pieces[from]!.heading });
    if (to === pieces.length) break;
    from = Math.max(from + 1, overlapStart(pieces, to));
  }
  return passages;
}

/** The first piece that the passage after `to` repeats. */
function overlapStart(pieces: readonly Piece[], to: number): number {
  let from = to;
  let words = 0;
  while (from > 0 && words < PASSAGE_OVERLAP && words + pieces[from - 1]!.words <= MAX_OVERLAP)
    words += pieces[--from]!.words;
  return from;
}

function piecesOf(text: string): Piece[] {
  const pieces: Piece[] = [];
  const headings: Heading[] = [];
  let path = '';
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(start, end);
    const heading = headingOf(line);
    if (heading) {
      enter(headings, heading);
      path = headings.map((item) => item.text).join(' › ');
    }
    const words = countWords(line);
    if (words > PASSAGE_WORDS) pieces.push(...cutLine(line, start, path));
    else if (words > 0) pieces.push({ start, end, words, heading: path });
    start = end + 1;
  }
  return pieces;
}

function cutLine(line: string, offset: number, heading: string): Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  let words = 0;
  /** End of the last sentence of this piece, and the words up to it. */
  let sentence = 0;
  let upTo = 0;
  const cut = (end: number, count: number): void => {
    pieces.push({ start: offset + start, end: offset + end, words: count, heading });
    start = end;
    words -= count;
    sentence = 0;
  };
  for (const match of line.matchAll(/\S+/g)) {
    words++;
    const end = match.index + match[0].length;
    if (/[.!?]["')\]]?$/.test(match[0])) [sentence, upTo] = [end, words];
    if (words < PIECE_WORDS) continue;
    if (sentence > start) cut(sentence, upTo);
    else cut(end, words);
  }
  if (words > 0) pieces.push({ start: offset + start, end: offset + line.length, words, heading });
  return pieces;
}

/** What the encoder reads of a passage: `title › heading › first words`, at most 96 characters. */
export function embeddingText(title: string, heading: string, body: string): string {
  const words = body.replace(/^#{1,6}\s+.*$/gm, '').replace(/[#*|_`-]+/g, ' ');
  return [title, heading, words]
    .map((part) => part.replace(/\s+/g, ' ').trim())
    .filter((part) => part !== '')
    .join(' › ')
    .slice(0, 96)
    .toWellFormed()
    .trim();
}
