import { countTokens } from '#shared/text/tokens.ts';

/** A stretch of a document's text, offsets in UTF-16 units; ends are trimmed. */
export interface Passage {
  charStart: number;
  charEnd: number;
  tokens: number;
}

interface Piece {
  start: number;
  end: number;
  tokens: number;
}

/**
 * Cuts a text greedily into passages of at most `maxTokens` o200k_base tokens, at paragraph ends, else at sentence
 * ends, else (a sentence longer than a passage) between words, else anywhere.
 */
export function splitPassages(text: string, maxTokens: number): Passage[] {
  const passages: Passage[] = [];
  let group: Piece[] = [];
  let tokens = 0;
  const flush = (): void => {
    const first = group[0];
    const last = group.at(-1);
    if (first && last) passages.push(...fit(text, first.start, last.end, maxTokens));
    group = [];
    tokens = 0;
  };
  for (const piece of pieces(text, 0, text.length, maxTokens, 0)) {
    if (tokens + piece.tokens > maxTokens) flush();
    group.push(piece);
    tokens += piece.tokens;
  }
  flush();
  return passages;
}

/** Trims a stretch; where joining its pieces costs tokens more than their sum, halves it. */
function fit(text: string, start: number, end: number, maxTokens: number): Passage[] {
  const raw = text.slice(start, end);
  const body = raw.trim();
  if (body === '') return [];
  const charStart = start + raw.indexOf(body);
  const tokens = countTokens(body);
  if (tokens <= maxTokens || body.length < 2)
    return [{ charStart, charEnd: charStart + body.length, tokens }];
  let middle = charStart + Math.floor(body.length / 2);
  const space = text.indexOf(' ', middle);
  if (space > 0 && space < charStart + body.length) middle = space;
  else if (isLowSurrogate(text, middle)) middle++;
  return [
    ...fit(text, charStart, middle, maxTokens),
    ...fit(text, middle, charStart + body.length, maxTokens),
  ];
}

const isLowSurrogate = (text: string, at: number): boolean => /[\udc00-\udfff]/.test(text[at] ?? '');

/** Where a text may be cut, best first. Each pattern matches the blank between two pieces. */
const CUTS = [/\n\s*\n/g, /(?<=[.!?…。！？]["'”’)\]]{0,3})\s+/gu, /\s+/g];

function* pieces(
  text: string,
  start: number,
  end: number,
  maxTokens: number,
  level: number,
): Generator<Piece> {
  const tokens = countTokens(text.slice(start, end));
  if (tokens <= maxTokens) {
    yield { start, end, tokens };
    return;
  }
  const cut = CUTS[level];
  if (!cut) {
    // One unbroken run: a token has at least one character, so this many characters always fit.
    for (let at = start; at < end;) {
      let to = Math.min(end, at + maxTokens);
      if (to < end && isLowSurrogate(text, to)) to = to - at > 1 ? to - 1 : to + 1;
      yield { start: at, end: to, tokens: countTokens(text.slice(at, to)) };
      at = to;
    }
    return;
  }
  let from = start;
  for (const match of text.slice(start, end).matchAll(cut)) {
    const to = start + match.index + match[0].length;
    if (to <= from || to >= end) continue;
    yield* pieces(text, from, to, maxTokens, level + 1);
    from = to;
  }
  yield* pieces(text, from, end, maxTokens, level + 1);
}
