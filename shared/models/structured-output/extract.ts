import { stringEnd } from './escape-guard.ts';

/** A piece of an answer that may be the JSON asked for. */
export interface Candidate {
  text: string;
  kind: 'whole' | 'fence' | 'span';
}

/** At most this many spans are tried. */
const MAX_SPANS = 5;
/** Characters a span search may look at, over all of its starts: hostile brackets must not cost quadratic time. */
const SCAN_BUDGET = 4_000_000;

/**
 * The candidates of an answer in the order they are tried: the whole text; fenced blocks, the last first; balanced
 * spans, the longest first, at most 5 (model-inference section 5, rule 4).
 */
export function candidatesOf(text: string): Candidate[] {
  return [
    { text, kind: 'whole' },
    ...fences(text)
      .reverse()
      .map((block): Candidate => ({ text: block, kind: 'fence' })),
    ...spans(text)
      .sort((a, b) => b.length - a.length)
      .slice(0, MAX_SPANS)
      .map((span): Candidate => ({ text: span, kind: 'span' })),
  ];
}

/** The contents of code fences. Fences stand at the start of a line, for strings may hold backticks too. */
export function fences(text: string): string[] {
  const blocks: string[] = [];
  let open: { fence: string; lines: string[] } | undefined;
  for (const line of text.split('\n')) {
    const fence = /^[ \t]*(`{3,}|~{3,})[ \t]*([^`]*)$/.exec(line.replace(/\r$/, ''));
    if (open && fence && fence[1]!.startsWith(open.fence) && fence[2]!.trim() === '') {
      blocks.push(open.lines.join('\n'));
      open = undefined;
    } else if (open) open.lines.push(line);
    else if (fence) open = { fence: fence[1]!, lines: [] };
  }
  return blocks;
}

const CLOSING: Record<string, string> = { '{': '}', '[': ']' };

/** An opening that can only be JSON's: where it never closes, the answer was cut and its inside is no answer. */
const JSON_OPENING = /^(?:\{\s*["']|\[\s*[[{"'])/;

/** The outermost balanced `{…}` and `[…]` of a text, strings taken into account, from left to right. */
export function spans(text: string): string[] {
  const found: string[] = [];
  let budget = SCAN_BUDGET;
  for (let at = 0; at < text.length && budget > 0; at++) {
    if (CLOSING[text[at]!] === undefined) continue;
    const scan = balancedEnd(text, at, budget);
    budget -= scan.looked;
    if (scan.end !== undefined) {
      found.push(text.slice(at, scan.end + 1));
      at = scan.end;
    } else if (JSON_OPENING.test(text.slice(at, at + 64))) break;
  }
  return found;
}

/** Where the bracket at `start` closes; undefined when it does not, or closes crosswise. */
export function balancedEnd(
  text: string,
  start: number,
  budget = Number.POSITIVE_INFINITY,
): { end?: number; looked: number } {
  const stack: string[] = [];
  let before = '';
  let at = start;
  for (; at < text.length && at - start < budget; at++) {
    const char = text[at]!;
    if (CLOSING[char] !== undefined) stack.push(CLOSING[char]);
    else if (char === '}' || char === ']') {
      if (stack.pop() !== char) return { looked: at - start + 1 };
      if (stack.length === 0) return { end: at, looked: at - start + 1 };
    } else if (char === '"' || (char === "'" && '{[,:'.includes(before))) {
      // A single quote opens a string only where one may stand; elsewhere it is an apostrophe.
      at = stringEnd(text, at);
    }
    if (!/\s/.test(char)) before = char;
  }
  return { looked: at - start };
}
