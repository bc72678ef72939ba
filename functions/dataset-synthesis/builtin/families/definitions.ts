import { selfContained, type Clause } from '../clause.ts';
import type { Fact } from '../fact.ts';
import type { Page } from '../page.ts';

/** "X is the largest moon of Saturn" and "X is a Y that Z": ask for X (family 4). */

const UNIQUE =
  /^(?:is|was) the ((?:only|first|last|largest|smallest|longest|shortest|highest|tallest|lowest|deepest|oldest|youngest|heaviest|lightest|fastest|slowest|most \w+|northernmost|southernmost|easternmost|westernmost|(?:second|third|fourth|fifth)[- ](?:largest|longest|highest|tallest|oldest|smallest)|capital|official|national|chemical symbol|scientific name|seat|birthplace|name|term|process)\b.*)$/;
const KIND =
  /^(?:is|was) (an?) ((?:[a-z][\p{L}-]+ ){1,5}?(?:that|in which|by which|whose|used (?:to|for)|made (?:of|from|by)) .+)$/u;

/** Facts that ask for the term a clause defines. */
export function definitionFacts(clause: Clause, page: Page): Fact[] {
  if (
    clause.subject.split(' ').length > 6 ||
    (clause.rest[0]!.text !== 'is' && clause.rest[0]!.text !== 'was')
  )
    return [];
  const answer = clause.subject.replace(/^(?:the|an?) /, '');
  const unique = UNIQUE.exec(clause.predicate);
  const made = (question: string, score: 1 | 2 | 3): Fact => ({
    family: 'definition',
    question,
    answer,
    answerType: clause.named ? 'name' : 'phrase',
    aliases: [],
    evidence: clause.sentence,
    score,
    group: `definition/${answer}`,
  });
  if (unique && clause.named) {
    const description = unique[1]!
      .replace(/,.*$/, '')
      .replace(/\s+and\s+(?:is|was|has|had|the|it|lies|stands|one of|\p{Ll}+s)\b.*$/u, '');
    // "the largest" alone compares with nothing.
    if (
      !/ (?:of|in|on|to|for|with|by|from|between)\s/.test(description) ||
      !selfContained(description) ||
      description.split(' ').length > 16
    )
      return [];
    return [made(`What ${clause.rest[0]!.text} the ${description}?`, 3)];
  }
  const kind = KIND.exec(clause.predicate);
  if (!kind) return [];
  const description = kind[2]!.replace(/,.*$/, '').replace(/;.*$/u, '');
  if (description.split(' ').length < 5 || /\b(?:it|its|they|their|this|these|he|she)\b/i.test(description))
    return [];
  const field =
    page.subject &&
    !answer.toLowerCase().includes(page.subject.bare.toLowerCase()) &&
    !page.subject.bare.toLowerCase().includes(answer.toLowerCase())
      ? `In ${page.subject.name}, what`
      : 'What';
  return [made(`${field} is the term for ${kind[1]} ${description}?`, 2)];
}
