import { clausesOfPage, identified } from './clause.ts';
import { capitalise, type Fact } from './fact.ts';
import { dateFacts } from './families/dates.ts';
import { definitionFacts } from './families/definitions.ts';
import { currencyOf, keyValueFacts } from './families/key-value.ts';
import { quantityFacts } from './families/quantities.ts';
import { relationFacts } from './families/relations.ts';
import { tableFacts } from './families/tables.ts';
import { pageOf, type Page } from './page.ts';

/** Every fact of a document that a question can be made of, in document order, each question once. */

const memo = new WeakMap<Page, Fact[]>();

/** The answer must stand once in its evidence, else the question might have asked for either. */
function occursOnce(fact: Fact): boolean {
  if (fact.answerType === 'list') return true;
  const plain = fact.evidence.toLowerCase();
  const answer = fact.answer.toLowerCase();
  let count = 0;
  for (let at = plain.indexOf(answer); at >= 0; at = plain.indexOf(answer, at + answer.length)) {
    const before = plain[at - 1] ?? ' ';
    const after = plain[at + answer.length] ?? ' ';
    if (!/[\p{L}\p{N}]/u.test(before) && !/[\p{L}\p{N}]/u.test(after)) count++;
  }
  // Unit spellings and letter case may differ from the evidence.
  return count <= 1 || fact.family === 'key-value' || fact.family === 'table';
}

export function factsOfDocument(title: string | undefined, text: string): Fact[] {
  const page = pageOf(title, text);
  let facts = memo.get(page);
  if (facts) return facts;
  facts = [];
  const { subject } = page;
  const currency = currencyOf(page.blocks.filter((block) => block.kind === 'key-value'));
  const about = subject && { subject, ...(currency ? { currency } : {}) };
  for (const block of page.blocks) {
    if (block.kind === 'key-value' && about) facts.push(...keyValueFacts(block, about));
    if (block.kind === 'table') facts.push(...tableFacts(block, subject));
  }
  for (const clause of clausesOfPage(page)) {
    const found = [
      ...dateFacts(clause),
      ...quantityFacts(clause),
      ...definitionFacts(clause, page),
      ...relationFacts(clause),
    ];
    facts.push(
      ...found.filter((fact) => fact.family === 'definition' || identified(clause, fact.question, page)),
    );
  }
  const seen = new Map<string, Fact | null>();
  for (const fact of facts) {
    fact.question = capitalise(fact.question);
    const other = seen.get(fact.question);
    // One question with two answers is no question.
    if (other === undefined) seen.set(fact.question, fact);
    else if (other === null || other.answer !== fact.answer) seen.set(fact.question, null);
  }
  facts = [...seen.values()].filter((fact): fact is Fact => fact !== null && occursOnce(fact));
  memo.set(page, facts);
  return facts;
}
