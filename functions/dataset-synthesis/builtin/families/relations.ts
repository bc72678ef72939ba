import { selfContained, type Clause } from '../clause.ts';
import type { Fact } from '../fact.ts';
import { infinitive } from '../verbs.ts';

/** Founded, written, invented, discovered, designed by; capital of, named after, lies on, flows into (family 5). */

const PAST: Record<string, string> = { written: 'wrote', drawn: 'drew' };
const BY =
  /^(?:was|were) (?:first |originally |jointly )?(founded|written|invented|discovered|designed|built|composed|painted|developed|created|directed|established|introduced|proposed|commissioned|translated|sculpted|engineered|isolated|published|described|formulated|proved|drawn|named|coined|led)(?<mid>(?: (?:in|at|near|on|for|between|from|around|about) [\p{L}\p{N}' ’-]+?)?) by (?:the |a |an )?(?:(?:[a-z-]+|[A-Z][a-z]+ian|French|English|British|German|Scottish|American|Italian|Dutch|Swiss|Swedish|Danish|Irish|Welsh|Greek|Spanish|Polish|Czech|Japanese|Chinese) ){0,4}?(?<name>\p{Lu}[\p{L}\p{M}'’.-]+(?: (?:de|da|van|von|der|du|la|le|di|of|\p{Lu}[\p{L}\p{M}'’.-]*))*)(?<rest>.*)$/u;
const AFTER =
  /^(?:is|was) named (?:after|for|in honour of) (?:the |an? )?(?:(?:[a-z-]+) ){0,4}?(?<name>(?:\p{Lu}[\p{L}\p{M}'’.-]+)(?: (?:de|van|von|of|\p{Lu}[\p{L}\p{M}'’.-]*))*)(?<rest>.*)$/u;
const RIVER =
  /^(?:lies|stands|sits|is|was built) (?:on|beside|astride|along) (?:the (?:banks of the )?|both banks of the )?(?<name>River \p{Lu}[\p{L}]+|(?:\p{Lu}[\p{L}]+ )+River|(?:Danube|Rhine|Thames|Seine|Elbe|Vltava|Moselle|Loire|Tiber|Main|Oder|Douro|Tagus|Arno|Severn|Tyne|Wear|Avon))(?<rest>.*)$/u;
const FLOWS =
  /^flows (?:[a-z]+ )?into (?:the )?(?<name>(?:\p{Lu}[\p{L}]+ )*(?:Sea|Ocean|River|Lake|Gulf|Bay|Channel)|(?:River|Lake|Gulf of|Bay of) \p{Lu}[\p{L}]+|\p{Lu}[\p{L}]+)(?<rest>.*)$/u;
const CAPITAL = /^is (?<name>\p{Lu}[\p{L}\p{M}'’-]+(?: \p{Lu}[\p{L}\p{M}'’-]+){0,3})(?<rest>.*)$/u;
const MADE =
  /^(?:invented|discovered|designed|founded|wrote|composed|painted|built|isolated|formulated|proved|introduced|patented|coined|developed|established|published|proposed|described|translated|opened)$/;

/** The name must end where another phrase begins, not inside a longer list. */
const ends = (rest: string): boolean =>
  rest === '' ||
  (/^(?: in | on | and (?:was|is|were|has|had) | at | for | between | from |,|;| as | after | during | to | when | who )/.test(
    rest,
  ) &&
    !/^,? and \p{Lu}|^, \p{Lu}[^,]*(?:,| and )/u.test(rest));

function fact(clause: Clause, question: string, answer: string, score: 1 | 2 | 3): Fact {
  return {
    family: 'relation',
    question: question.replace(/\s+/g, ' ').replace(/ \?/, '?'),
    answer: answer.trim(),
    answerType: 'name',
    aliases: [],
    evidence: clause.sentence,
    score,
    group: `relation/${answer}`,
  };
}

/** Facts about who made, named or borders the subject of one clause. */
export function relationFacts(clause: Clause): Fact[] {
  const text = clause.predicate;
  const by = BY.exec(text)?.groups;
  if (by && clause.named) {
    const verb = BY.exec(text)![1]!;
    // "by Smith and Jones": two makers, one of them no answer.
    if (ends(by.rest!) && !/^ and (?!(?:was|is|were|has|had) )/.test(by.rest!) && selfContained(by.mid!)) {
      return [fact(clause, `Who ${PAST[verb] ?? verb} ${clause.subject}${by.mid ?? ''}?`, by.name!, 3)];
    }
    return [];
  }
  const after = AFTER.exec(text)?.groups;
  if (after && clause.named && ends(after.rest!)) {
    return [fact(clause, `After whom or what is ${clause.subject} named?`, after.name!, 3)];
  }
  const river = RIVER.exec(text)?.groups;
  if (river && clause.named)
    return [fact(clause, `On which river does ${clause.subject} lie?`, river.name!, 2)];
  const flows = FLOWS.exec(text)?.groups;
  if (flows && clause.named && /^(?:$|[,.;]| at | near | in )/.test(flows.rest!)) {
    return [fact(clause, `Into which body of water does ${clause.subject} flow?`, flows.name!, 3)];
  }
  const role =
    /^the ((?:capital|largest city|official language|currency|national (?:bird|flower|animal|tree|anthem)|highest (?:point|mountain)|longest river|largest (?:lake|island)|seat) of (?:the )?\p{Lu}[\p{L} ]+)$/u.exec(
      clause.subject,
    );
  const capital = CAPITAL.exec(text)?.groups;
  if (role && capital && /^(?:$|,)/.test(capital.rest!)) {
    return [fact(clause, `What is the ${role[1]}?`, capital.name!, 3)];
  }
  const verb = clause.rest[0]!.text;
  const person =
    /^(?:(?:Sir|Dr|Lady|Lord|Saint|St) )?\p{Lu}[\p{L}\p{M}'’.-]+(?: (?:de|van|von|da|di|der|\p{Lu}[\p{L}\p{M}'’.-]*)){1,4}$/u.test(
      clause.subject,
    );
  if (person && MADE.test(verb) && infinitive(verb)) {
    const object = text
      .slice(verb.length)
      .replace(/(?:,| and | while | but | when | after ).*$/, '')
      .trim();
    const named = /\p{Lu}|\d/u.test(object);
    if (
      named &&
      selfContained(object) &&
      object.split(' ').length >= 2 &&
      object.split(' ').length <= 14 &&
      !/^(?:his|her|their|its)\b|\b(?:his|her|their)\b/i.test(object)
    ) {
      return [fact(clause, `Who ${verb} ${object}?`, clause.subject, 3)];
    }
  }
  return [];
}
