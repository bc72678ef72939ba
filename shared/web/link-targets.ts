/**
 * Takes the targets of links out of Markdown, so that what reads it learns of no address: links become their text,
 * images their alternative text, bare URLs `[link]` (specification deep-research, section 6).
 */

const DEFINITION = /^ {0,3}\[[^\]\n]+\]:\s*\S.*$/gm;
const IMAGE =
  /!\[((?:\\.|[^[\]\\])*)\](?:\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\s+(?:"[^"\n]*"|'[^'\n]*'))?\s?\)|\[[^\]\n]*\])/g;
const LINK =
  /\[((?:\\.|[^[\]\\])*)\](?:\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\s+(?:"[^"\n]*"|'[^'\n]*'))?\s?\)|\[[^\]\n]*\])/g;
/** What is left of a link whose text holds brackets. */
const TARGET = /\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\s+"[^"\n]*")?\)/g;
const TAG = /<\/?(?:a|img|iframe|link|area|source|video|audio|script|style|form)\b[^<>]*>/gi;
const URL_TEXT = /<?(?:[\w+.-]{0,16}:\/\/|www\.(?=[\p{L}\p{N}]))[^\s<>"'`|]*>?/giu;
const MAIL = /\b(?:mailto|javascript|data|tel):[^\s<>"'`|()]+/gi;
const PLACEHOLDER = '[link]';

/** Idempotent and linear in the text. */
export function withoutTargets(markdown: string): string {
  // Most texts have none of it.
  if (!/[[<:]|www\./i.test(markdown)) return markdown;
  const marked = markdown
    .replace(DEFINITION, (line) => (/:\/\/|:\s*[/#.]|www\.|mailto:/i.test(line) ? '' : line))
    .replace(IMAGE, '$1')
    .replace(LINK, '$1')
    .replace(TARGET, ']')
    .replace(TAG, '');
  // Looking for an address at every word takes longer than all the rest.
  const bare = /:\/\/|www\./i.test(marked) ? marked.replace(URL_TEXT, placeholder) : marked;
  return bare.replace(MAIL, PLACEHOLDER);
}

/** Punctuation after an address is the sentence's. */
function placeholder(url: string): string {
  let end = url.length;
  if (url[end - 1] === '>') end--;
  let start = end;
  while (start > 0 && '.,;:!?)]}'.includes(url[start - 1]!)) start--;
  return PLACEHOLDER + url.slice(start, url.startsWith('<') ? end : url.length);
}
