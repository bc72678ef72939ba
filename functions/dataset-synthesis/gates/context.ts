import type { RejectCode } from '../records.ts';

/** Gate 6: a question must be understood by a reader who has nothing else in hand. */

export interface ContextFault {
  code: Extract<RejectCode, 'CONTEXT_SOURCE' | 'CONTEXT_PRONOUN' | 'CONTEXT_TIME' | 'CONTEXT_ANCHOR'>;
  found: string;
}

const SOURCE = [
  /\b(?:the|this|that|these|those|given|provided|following|above|preceding|accompanying) (?:\w+ )?(?:text|passage|article|document|excerpt|paragraph|extract|snippet|reading|webpage|web page|blog post|transcript|source material)s?\b/i,
  /\b(?:according to|based on|as (?:stated|mentioned|described|shown|noted|discussed|given|defined) (?:in|by)|described in|mentioned in|stated in|shown in|from) (?:the|this|that) (?:\w+ )?(?:text|passage|article|document|author|excerpt|paragraph|section|chapter|study|paper|report|page|post|story|source|information|description|content|data|profile|writer|speaker|narrator)\b/i,
  /\bthe (?:author|writer|speaker|narrator)s?\b(?! of\b| who\b)/i,
  /\b(?:mentioned|described|listed|shown|discussed|stated|given|presented|defined|noted) (?:above|below|here|earlier|previously)\b/i,
  /\b(?:above|below)[- ]?(?:mentioned|described|listed|stated|given)\b|\bthe (?:above|below|aforementioned|foregoing)\b|\baforementioned\b/i,
  /\b(?:see|in|from|refer to|on|per) (?:the )?(?:figure|fig\.|table|section|appendix|equation|eq\.|chapter|page) ?\(?\d/i,
  /\b(?:this|the) (?:figure|table|diagram|chart|image|section|chapter|study|paper|tutorial|guide|example|question|report)\b(?! of\b| in\b|s\b| for\b| by\b| that\b| named\b| called\b)/i,
];

const TIME =
  /\b(?:currently|recently|nowadays|today|tonight|yesterday|tomorrow|presently|lately|these days|right now|at present|at the moment|so far|to date|as of now|until now|up to now|(?:this|last|next|past|previous|coming|the present) (?:year|month|week|decade|century|season|summer|winter|spring|autumn|day)|(?:years|months|weeks|days|decades|centuries) ago|the latest|the most recent)\b|\bnow\b(?! (?:called|known|named)\b)|(?<!\b(?:electric|electrical|alternating|direct|ocean|air|eddy|induced|water|tidal|leakage|the gulf)s? )\bcurrent\b(?! (?:account|density|flows?|flowing|of \d|through|in an?|asset|liabilit|ratio))/i;

const PRONOUN =
  /\b(?:he|she|it|they|him|her|his|hers|its|them|their|theirs|himself|herself|itself|themselves)\b/gi;
const SPEAKER = /\b(?:we|our|ours|us|my|mine|me|your|yours|you)\b/i;
const EXPLETIVE =
  /\b(?:does|did|do|would|will|could|can|should|might|may|must) it (?:take|cost|rain|snow|mean|follow)\b|\bis it (?:called|possible|necessary|true|best|safe|important|recommended|advisable)\b|\bit (?:is|was|takes|took) (?:possible|necessary|true|known|called|said|believed|estimated|\w+ (?:to|that))\b|\bwhat (?:time|day) (?:is|was) it\b/gi;
const DEMONSTRATIVE =
  /\b(?:this|these|those)\b(?! (?:who|which|that|whose|with|without|of|in|aged|under|over|called|named)\b)(?: \p{L}+)?|^\W*(?:that|such)\b|\b(?:in|of|for|on|at|by|to|with) that (?:\p{L}+)(?= ?[?,.]| (?:is|was|has|had|does|did)\b)/iu;

/** A noun that something later may refer back to: a name, or a word behind an article, quantifier or adjective. */
const ANTECEDENT =
  /(?:^|\s)(?:an?|the|each|every|some|any|no|one|two|three|\d+)\s+\p{L}{2,}|\b(?!(?:was|has|does|goes|its|his|this|thus|years|months|weeks|days|hours|times|metres|kilometres|always|towards|across)\b)\p{L}{3,}s\b(?=\s)|[a-z,]\s+["“]?\p{Lu}[\p{L}\p{N}]/u;

/** First pronoun of a question that nothing before it explains. */
function unresolved(question: string): string | undefined {
  const text = question.replace(EXPLETIVE, (match) => ' '.repeat(match.length));
  const asked =
    /^\W*(?:(?:in|on|at|of|for|by|to|from|with|under|after|during|since|until)\s+)?(?:what|which|who|whom|whose|when|where|why|how)\b/i;
  const skip = asked.exec(text)?.[0].length ?? 0;
  for (const match of text.matchAll(PRONOUN)) {
    const before = text.slice(skip, match.index);
    const opening = skip === 0 ? /(?:^|\s)["“]?\p{Lu}\p{L}+/u.test(before) : false;
    if (!opening && !ANTECEDENT.test(` ${before}`)) return match[0];
  }
  const speaker = SPEAKER.exec(text);
  if (
    speaker &&
    !/\b(?:do|would|should|can|must|could|might|will) (?:you|we)\b|["“'‘][^"”'’]*$/i.test(
      text.slice(0, speaker.index + speaker[0].length),
    ) &&
    !/\byou\b/i.test(speaker[0])
  ) {
    // The generic "you" and "we" of how-to and maths questions are clear.
    if (/\b(?:your|yours)\b/i.test(speaker[0]) && /\byou\b/i.test(text)) return undefined;
    return speaker[0] === 'US' ? undefined : speaker[0];
  }
  const pointing = DEMONSTRATIVE.exec(text);
  if (pointing) {
    const noun = /\s(\p{L}+)$/u.exec(pointing[0])?.[1]?.toLowerCase();
    const before = text.slice(0, pointing.index).toLowerCase();
    // "A bridge crosses the Tyne. How long is this bridge?" explains itself.
    if (!noun || !new RegExp(`\\b${noun.replace(/s$/, '')}s?\\b`, 'u').test(before)) return pointing[0];
  }
  return undefined;
}

const CODE =
  /`[^`]+`|\b\w+\(\)|\b\w+\.\w+\(|\b[a-z]+_[a-z_]+\b|\b[a-z]+[A-Z]\w*\b|--?[a-z][\w-]+\b(?<=\s--?[\w-]+)/;
const EXPRESSION = /[=+^√π∑∫≤≥<>×÷]|\\\w+|\$[^$]+\$/;
const QUOTATION = /["“«][^"”»]+["”»]|(?:^|\s)['‘][^'’]{2,}['’](?=[\s?.,])/;
const NUMBER =
  /\p{N}|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|billion)\b/iu;
/** A capital inside a sentence: not after its start, a full stop or an opening quote. */
const NAME =
  /(?:[\p{L}\p{N},;:)'’"-]\s+|\()(?:[a-z]{1,2}['’-])?\p{Lu}(?:[\p{L}\p{N}]|(?=\W|$))|^\p{Lu}[\p{L}'’-]+['’]s\b|\b\p{Lu}{2,}\b/u;

/** What makes a question unclear by itself, else undefined. */
export function findContextFault(question: string): ContextFault | undefined {
  const text = question.trim();
  for (const pattern of SOURCE) {
    const match = pattern.exec(text);
    if (match) return { code: 'CONTEXT_SOURCE', found: match[0] };
  }
  const pronoun = unresolved(text);
  if (pronoun !== undefined) return { code: 'CONTEXT_PRONOUN', found: pronoun.trim() };
  const time = TIME.exec(text);
  if (time) return { code: 'CONTEXT_TIME', found: time[0] };
  // The pronoun I is no name.
  const nameable = text.replace(/\bI\b/g, 'i');
  if (![CODE, EXPRESSION, QUOTATION, NUMBER, NAME].some((pattern) => pattern.test(nameable))) {
    return { code: 'CONTEXT_ANCHOR', found: 'no name, number, quotation, expression or code' };
  }
  return undefined;
}
