import type { Page, Prose } from './page.ts';
import type { Sentence, Token } from './nlp.ts';

/** Sentences that can be turned into questions: who they are about, and where their verb stands. */

export interface Clause {
  /** The whole sentence, verbatim: the evidence. */
  sentence: string;
  /** The subject as the question may call it. */
  subject: string;
  /** A name, or a common noun phrase. */
  named: boolean;
  /** Tokens from the verb on, without the final full stop. */
  rest: Token[];
  /** Text from the verb on, without the final full stop. */
  predicate: string;
}

const SKIP_ADVERB = /^(?:also|first|officially|originally|later|then|subsequently|formally|finally|still)$/i;
/** Words that point outside the sentence. */
const POINTING =
  /\b(?:this|these|those|such|here|above|below|following|latter|former|he|she|it|they|him|them|his|her|their|we|our|us|you|your|i|my|who|whom|however|therefore|moreover|former)\b/i;

const words = (tokens: Token[]): Token[] => tokens.filter((token) => token.pos !== 'PUNCT');

/** Names of the text that also stand inside sentences: a capital at a sentence's start proves nothing. */
function namesWithin(page: Page): Set<string> {
  const names = new Set<string>();
  for (const word of page.title.match(/\p{Lu}[\p{L}\p{M}'’-]*/gu) ?? []) names.add(word);
  for (const block of page.blocks) {
    if (block.kind !== 'prose') continue;
    for (const sentence of block.sentences) {
      sentence.tokens.forEach((token, index) => {
        if (index > 0 && /^\p{Lu}/u.test(token.text)) names.add(token.text);
      });
    }
  }
  return names;
}

const CONNECTOR =
  /^(?:of|the|de|da|do|del|della|di|du|des|la|le|les|van|von|der|den|and|al|el|y|on|upon|in|for)$/;

interface Head {
  text: string;
  named: boolean;
  next: number;
}

/** The noun phrase that opens a sentence, up to its verb. */
function openingPhrase(tokens: Token[], sentence: string, names: Set<string>): Head | undefined {
  let index = 0;
  let proper = false;
  let lastContent = -1;
  // "Linus Torvalds created": a run of two names is no ordinary word with the capital of its place.
  const fullName =
    tokens[0]!.pos === 'PROPN' && tokens[1]?.pos === 'PROPN' && /^\p{Lu}\p{Ll}/u.test(tokens[1].text);
  const article = /^(?:the|an?)$/i.test(tokens[0]?.text ?? '') && tokens[0]!.pos === 'DET';
  if (article) index = 1;
  for (; index < tokens.length && index < 10; index++) {
    const token = tokens[index]!;
    const capital = /^\p{Lu}/u.test(token.text);
    if (capital && (index > 0 || names.has(token.text) || fullName) && token.pos !== 'PRON') {
      proper = true;
      lastContent = index;
      continue;
    }
    if (proper && CONNECTOR.test(token.text) && /^\p{Lu}|^the$/u.test(tokens[index + 1]?.text ?? ''))
      continue;
    if (token.text === "'s" || token.text === '’s' || token.text === '-') continue;
    if (
      (token.pos === 'NOUN' || token.pos === 'ADJ' || token.pos === 'PROPN') &&
      /^[\p{L}-]+$/u.test(token.text) &&
      (article || proper || index > 0)
    ) {
      lastContent = index;
      continue;
    }
    break;
  }
  if (lastContent < 0) return undefined;
  let next = lastContent + 1;
  // "(…)" and ", …," between subject and verb are left out.
  if (tokens[next]?.text === '(') {
    const close = tokens.findIndex((token, at) => at > next && token.text === ')');
    if (close < 0) return undefined;
    next = close + 1;
  }
  if (tokens[next]?.text === ',') {
    const close = tokens.findIndex((token, at) => at > next && token.text === ',');
    if (close < 0 || close - next > 14) return undefined;
    // An appositive, not a list: it opens with an article or "which".
    if (!/^(?:an?|the|which|also|now|once|known)$/i.test(tokens[next + 1]?.text ?? '')) return undefined;
    next = close + 1;
  }
  while (next < tokens.length && SKIP_ADVERB.test(tokens[next]!.text)) next++;
  const phrase = sentence.slice(tokens[0]!.start, tokens[lastContent]!.end);
  return { text: phrase, named: proper, next };
}

const decapitalise = (phrase: string): string =>
  phrase.replace(/^(The|An?) /, (article) => article.toLowerCase());

const isVerb = (token: Token | undefined): boolean =>
  token !== undefined &&
  (token.pos === 'VERB' || token.pos === 'AUX' || /^(?:is|was|are|were|has|had)$/.test(token.text));

/** Whether a phrase calls the title's subject by its full or shortened name: "The bridge" for `Pebble Bridge`. */
function callsTitle(phrase: string, page: Page): boolean {
  const subject = page.subject;
  if (!subject) return false;
  const plain = phrase.replace(/^(?:the|an?)\s+/i, '').toLowerCase();
  return (
    plain === subject.bare.toLowerCase() ||
    (subject.head !== undefined && plain === subject.head && /^the\s/i.test(phrase))
  );
}

/** Clauses of one paragraph, in order. */
function clausesOf(prose: Prose, page: Page, names: Set<string>): Clause[] {
  const out: Clause[] = [];
  let previousIsTitle = false;
  for (const sentence of prose.sentences) {
    const clause = clauseOf(sentence, page, names, previousIsTitle);
    previousIsTitle =
      clause === undefined
        ? previousIsTitle && /^It\b/.test(sentence.text)
        : clause.subject === page.subject?.name;
    if (clause && usable(sentence)) out.push(clause);
  }
  return out;
}

function usable(sentence: Sentence): boolean {
  const count = words(sentence.tokens).length;
  return count >= 5 && count <= 40 && /[.!)"”]$/.test(sentence.text.trim()) && !/[?:]/.test(sentence.text);
}

function clauseOf(
  sentence: Sentence,
  page: Page,
  names: Set<string>,
  previousIsTitle: boolean,
): Clause | undefined {
  const { tokens, text } = sentence;
  if (tokens.length < 3) return undefined;
  let subject: string;
  let named: boolean;
  let next: number;
  if (/^it$/i.test(tokens[0]!.text)) {
    if (!previousIsTitle || !page.subject) return undefined;
    subject = page.subject.name;
    named = true;
    next = 1;
    while (SKIP_ADVERB.test(tokens[next]?.text ?? '')) next++;
  } else {
    const head = openingPhrase(tokens, text, names);
    if (!head) return undefined;
    next = head.next;
    if (callsTitle(head.text, page)) {
      subject = page.subject!.name;
      named = true;
    } else {
      // A common noun behind a definite article points back at something unnamed here.
      if (!head.named && /^the\b/i.test(head.text)) return undefined;
      subject = decapitalise(head.text);
      named = head.named;
      // A name alone at the start, without its article, is kept as written.
      if (POINTING.test(subject)) return undefined;
    }
  }
  if (!isVerb(tokens[next])) return undefined;
  const rest = tokens.slice(next);
  while (rest.length > 0 && /^[.!;]$/.test(rest.at(-1)!.text)) rest.pop();
  if (rest.length < 2) return undefined;
  return {
    sentence: text.trim(),
    subject,
    named,
    rest,
    predicate: text.slice(rest[0]!.start, rest.at(-1)!.end),
  };
}

/** The clauses of a page that questions can be made of. */
export function clausesOfPage(page: Page): Clause[] {
  const prose = page.blocks.filter((block) => block.kind === 'prose');
  if (prose.length === 0) return [];
  const names = namesWithin(page);
  return prose.flatMap((block) => clausesOf(block, page, names));
}

/** Common nouns that point back at something named earlier, unless a phrase behind them says which. */
const POINTING_BACK =
  /\bthe (?:\p{Ll}+ )?(?:colony|colonies|territory|territories|islands?|country|region|city|town|village|area|government|state|nation|party|king|queen|president|monarchy|company|bridge|canal|tunnel|tower|church|school|building|site|river|lake|mountain|war|treaty|project|band|team|club|book|novel|film|species|plant|animal|machine|device|disease|gas|metal|element|drug|substance|method|system|family|couple|question|theorem|proof|symptom|brothers|author|poet|painter|artist)\b(?! (?:of|in|for|between|that|where|with|called|named)\b)/u;

const NAME_ONLY =
  /^(?:the )?\p{Lu}[\p{L}\p{M}\p{N}'’.-]*(?: (?:(?:of|the|de|da|do|del|di|du|des|la|le|van|von|der|and|y|in|for) )*\p{Lu}[\p{L}\p{M}\p{N}'’.-]*)*(?: \p{Ll}[\p{L}-]+)?$/u;

/** Whether a reader knows whom or what a question is about: its subject is a name, or the title's subject occurs. */
export function identified(clause: Clause, question: string, page: Page): boolean {
  if (POINTING_BACK.test(question)) return false;
  // "Andrew Wiles announced a proof": of what, another sentence says.
  if (clause.subject !== page.subject?.name && / an? \p{Ll}+\?$/u.test(question)) return false;
  if (/^(?:Early|Late|Later|Former|Modern|Some|Several|Many|Most|Other|Local)\b/.test(clause.subject))
    return false;
  if (NAME_ONLY.test(clause.subject)) return true;
  return page.subject !== undefined && question.includes(page.subject.bare);
}

/** Whether words may stand in a question: nothing points outside it, no further clause begins. */
export function selfContained(text: string): boolean {
  return (
    !POINTING.test(text) &&
    !/[;:()]|\b(?:which|that|where|when|while|although|because|but|if|as well as|among others)\b/i.test(text)
  );
}
