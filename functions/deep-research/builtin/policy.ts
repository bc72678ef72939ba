import type { Rng } from '#shared/determinism/rng.ts';
import { normaliseText } from '#shared/research/facts/normalise.ts';
import { SYNONYMS } from '#shared/research/facts/synonyms.ts';
import type { StepInput } from '../agent/prompts/step-input.ts';
import { arithmeticStep } from './arithmetic.ts';
import { writeNote } from './note.ts';
import { progressOf, type Page, type Progress, type Result } from './progress.ts';
import { reportStep } from './report.ts';
import { answerText, callText, type Reply } from './reply.ts';
import { applied, BRIDGE, clauseEnd, innermost, movesOf, type Goal, type Move } from './resolve.ts';
import { bestSentence } from './sentences.ts';
import { contentStems, isContent, occurrences, tokensOf } from './tokens.ts';

/** Pages a hop may read, and sections of each. */
const PAGES_A_HOP = 4;
const SECTIONS_A_PAGE = 3;
/** An answer that fits this well needs no other page. */
const SURE = 0.84;
/** At the end of the search this much stands without a doubt, and this much is better than a sentence. */
const GOOD = 0.6;
const GUESS = 0.35;
const EXPLORE_TEMPERATURE = 0.15;
const EARLY_ANSWERS = 0.1;

/**
 * The role research-step without a model: a pure function of its input (specification section 9). It looks facts up,
 * resolves descriptions from the inside out, and says what it could not settle.
 */
export function researchStep(input: StepInput, rng: Rng): string {
  const progress = progressOf(input);
  const question = [input.question, ...input.notes].join('\n');
  if (!input.final && input.memory.tokens >= 0.8 * input.memory.limit) {
    if (input.tools.includes('clean_memory')) return cleaning(question, progress, input);
    const longest = input.memory.entries
      .filter(({ text }) => text !== '[deleted]')
      .sort((a, b) => b.text.length - a.text.length)[0];
    if (longest) {
      return callText('Memory is nearly full; the longest result gives way.', 'delete_result', {
        result_id: `r${longest.step}`,
      });
    }
  }
  if (input.kind === 'code') {
    return answerText(
      'Writing programs needs a model.',
      'I cannot write programs: this answer was made without a language model. (uncertain)',
      [],
    );
  }
  const computed = input.tools.includes('code_interpreter') ? arithmeticStep(input, progress) : undefined;
  if (computed) return computed;
  if (input.kind === 'report') return reportStep(question, progress, input);
  return shortStep(input.question, progress, input, rng);
}

/** The hops that what was read resolves, and what is left of the question. */
function resolved(
  question: string,
  progress: Progress,
  input: StepInput,
): { goal: Goal; made: Move[]; best?: Move } {
  let goal: Goal = { tokens: tokensOf(inKeyWords(question)) };
  const made: Move[] = [];
  for (let hop = 0; hop < 5; hop++) {
    const [best] = movesOf(goal, progress.pages, input.entityNoun).filter(
      (move) => !made.some((done) => done.fact === move.fact),
    );
    if (!best) return { goal, made };
    const good = best.final ? best.score >= SURE : best.score >= BRIDGE + 0.05;
    if (best.final || !good) return { goal, made, best };
    made.push(best);
    goal = applied(goal, best);
    if (!goal.tokens.some(({ word }) => isContent(word) && !isValue(goal, best, word))) {
      return { goal, made: made.slice(0, -1), best: { ...best, final: true } };
    }
  }
  return { goal, made };
}

const WORDINGS = SYNONYMS.map(
  ([asked, named]) => [new RegExp(`\\b${asked.replaceAll(' ', '\\s+')}\\b`, 'gi'), named] as const,
);

/** A question in the words that reference texts have for what people ask. */
const inKeyWords = (question: string): string =>
  WORDINGS.reduce((text, [asked, named]) => text.replace(asked, named), question);

/** Whether a word of the goal comes from a value that was found. */
const isValue = (_goal: Goal, { value }: Move, word: string): boolean =>
  normaliseText(value).split(' ').includes(word);

function shortStep(question: string, progress: Progress, input: StepInput, rng: Rng): string {
  const { goal, made, best } = resolved(question, progress, input);
  const sure = best?.final === true && best.score >= SURE;
  const begun = progress.searches.length > 0;
  const early = input.explore && begun && !sure && rng.next() < EARLY_ANSWERS;
  if (input.final || sure || early) return answered(question, goal, progress, made, best, input, sure);
  const next = nextCall(goal, progress, input, rng);
  if (next) return next;
  return answered(question, goal, progress, made, best, input, false);
}

/** The next thing to look at: another section, another page, another search; undefined where all is used up. */
function nextCall(goal: Goal, progress: Progress, input: StepInput, rng: Rng): string | undefined {
  const queries = queriesOf(goal, input.entityNoun);
  const done = new Map(progress.searches.map(({ query, pagesBefore }) => [query, pagesBefore]));
  const known = new Set(progress.pages.map(({ url }) => url));
  const first = done.get(normaliseText(queries[0] ?? ''));
  const readSince = first === undefined ? 0 : progress.pages.length - first;

  // A page about the very thing, or the last one read, may hold it further down.
  const [latest] = progress.pages.slice(-1);
  const about = progress.pages.filter((page) => namedIn(goal, page) > 0);
  for (const page of [...about, ...(latest && readSince > 0 ? [latest] : [])]) {
    const section = Math.max(...page.read) + 1;
    if (section < page.sections && page.read.length < SECTIONS_A_PAGE) {
      return callText(`More of ${page.title} may tell.`, 'browse_page', {
        url: page.url,
        section_id: section,
      });
    }
  }
  for (const query of queries) {
    const normal = normaliseText(query);
    if (!done.has(normal)) {
      return callText(`I look for ${query}.`, 'search_internet', { query });
    }
    if (readSince >= PAGES_A_HOP) continue;
    const results = progress.results.filter((result) => result.query === normal && !known.has(result.url));
    // Two pages of a query, then other words.
    const seen = progress.results.filter((result) => result.query === normal && known.has(result.url)).length;
    const named = results.some((result) => titleWeight(goal, result) > 0);
    if (results.length === 0 || (seen >= 2 && !named && query !== queries.at(-1))) continue;
    const chosen = choose(goal, results, input, rng);
    return callText(`${chosen.title} looks right.`, 'browse_page', { url: chosen.url });
  }
  return undefined;
}

/** Searches for the innermost part of a question: all its words, its names and values, these with the noun. */
function queriesOf(goal: Goal, entityNoun: string): string[] {
  const inner = innermost(goal.tokens);
  const tokens = inner ? goal.tokens.slice(inner.start, clauseEnd(goal.tokens, inner.start)) : goal.tokens;
  const all = tokens.filter(({ word }) => isContent(word)).map(({ raw }) => raw);
  const names = tokens
    .filter(
      ({ word, capital, raw }, index) =>
        isContent(word) && ((capital && (inner || index > 0)) || /\d/.test(raw)),
    )
    .map(({ raw }) => raw);
  const queries = [all, names, [entityNoun, ...names]].map((words) => words.join(' ').slice(0, 300));
  const whole = goal.tokens.filter(({ word }) => isContent(word)).map(({ raw }) => raw);
  if (inner) queries.push(whole.join(' ').slice(0, 300));
  return [...new Set(queries.filter((query) => query.trim() !== '' && query !== entityNoun))];
}

/** Words of a title that the goal names, more for longer titles. */
function titleWeight({ tokens }: Goal, { title }: Pick<Result, 'title'>): number {
  return namedIn({ tokens }, { title, entity: title.split(/:\s| [-–—|] /, 1)[0]! });
}

function namedIn({ tokens }: Goal, { title, entity }: Pick<Page, 'title' | 'entity'>): number {
  for (const name of [title, entity]) {
    if (occurrences(tokens, name).length > 0) return normaliseText(name).split(' ').length;
  }
  return 0;
}

function choose(goal: Goal, results: readonly Result[], input: StepInput, rng: Rng): Result {
  const inner = innermost(goal.tokens);
  const words = new Set(
    (inner ? goal.tokens.slice(inner.start, clauseEnd(goal.tokens, inner.start)) : goal.tokens)
      .filter(({ word }) => isContent(word))
      .map(({ word }) => word),
  );
  const scores = results.map((result) => {
    const stems = new Set(contentStems(`${result.title} ${result.snippet}`));
    const asked = [...words].flatMap((word) => contentStems(word));
    const coverage = asked.length === 0 ? 0 : asked.filter((word) => stems.has(word)).length / asked.length;
    return 0.5 * Math.min(3, titleWeight(goal, result)) + coverage + 0.3 / (1 + result.rank);
  });
  if (!input.explore) return results[scores.indexOf(Math.max(...scores))]!;
  const most = Math.max(...scores);
  const weights = scores.map((score) => Math.exp((score - most) / EXPLORE_TEMPERATURE));
  let draw = rng.next() * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, weight] of weights.entries()) {
    draw -= weight;
    if (draw <= 0) return results[index]!;
  }
  return results.at(-1)!;
}

function answered(
  question: string,
  goal: Goal,
  progress: Progress,
  made: readonly Move[],
  best: Move | undefined,
  input: StepInput,
  sure: boolean,
): string {
  const hops: Reply['citations'] = made.map(({ page, fact }) => ({
    url: page.url,
    quote: quoteOf(fact.text),
  }));
  if (best && best.score >= GUESS && best.final) {
    const citations = [...hops, { url: best.page.url, quote: quoteOf(best.fact.text) }];
    const text = sure || best.score >= GOOD ? best.value : `${best.value} (uncertain)`;
    return answerText(`${best.page.title} says: ${best.fact.text.trim()}`, partly(text, input), citations);
  }
  const sentence = bestSentence(goal.tokens.map(({ raw }) => raw).join(' ') || question, progress.pages);
  if (sentence) {
    const citations = [...hops, { url: sentence.page.url, quote: sentence.text }];
    // A line that is a fact answers with its value.
    const fact = sentence.page.facts.find(({ text }) => text.includes(sentence.text));
    const answer = `${fact?.head ?? sentence.text} (uncertain)`;
    return answerText('No fact says it outright.', partly(answer, input), citations);
  }
  const last = made.at(-1);
  const guess = last ? `${last.value} (uncertain)` : 'Not found in the corpus (uncertain)';
  return answerText('Nothing that was read says it.', partly(guess, input), hops);
}

/** A quote is the line as it stands, its outer spaces aside. */
const quoteOf = (line: string): string => line.trim();

const partly = (text: string, { final }: StepInput): string =>
  final && !text.includes('uncertain') ? `${text} (partial)` : text;

/** Keeps what was resolved and the facts that share words with the question. */
function cleaning(question: string, progress: Progress, input: StepInput): string {
  const words = new Set(contentStems(question));
  const { made, best } = resolved(question, progress, input);
  const needed = new Set([...made, ...(best ? [best] : [])].map(({ fact }) => fact));
  const note = writeNote(progress, (page) => {
    const rated = page.facts
      .map((fact) => {
        const stems = contentStems(`${fact.relation} ${fact.value.slice(0, 200)}`);
        const shared = stems.filter((word) => words.has(word)).length;
        return { fact, score: needed.has(fact) ? 100 : shared };
      })
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score)
      .slice(0, 12);
    return rated.map(({ fact }) => fact.text.trim().slice(0, 600));
  });
  return callText('Memory fills up; I keep what may matter.', 'clean_memory', { content: note });
}
