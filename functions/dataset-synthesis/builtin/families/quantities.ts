import { scanQuantities, type Quantity } from '#shared/text/units.ts';
import { selfContained, type Clause } from '../clause.ts';
import type { Fact } from '../fact.ts';
import { infinitive } from '../verbs.ts';

/** "How long is ...?", "How many ... does ... have?" (family 3). */

const MEASURE = /^(is|was|stands|stood) (?:about |around |approximately |nearly |almost |some )?$/;
const ADJECTIVE = /^ (long|high|tall|wide|deep|thick|old|across|in diameter|in length|in height)\b/;
const COUNTING =
  /^(has|had|contains|contained|holds|held|comprises|comprised|houses|covers|covered|weighs|weighed|measures|measured|spans|spanned|carries|carried|employs|employed|rises|rose|receives|received|reaches|reached|produces|produced|uses|used|needs|takes|took|lasts|lasted|costs|cost|runs|ran|flows|stretches|consists of|consisted of)\b/;
const HEDGED =
  /^(?:about|around|approximately|nearly|almost|some|roughly|more than|over|at least|up to|at most|less than|fewer than|only|just)\s+$/;

const present = (verb: string): string => {
  if (/^(?:has|had)$/.test(verb)) return 'have';
  if (/(?:ches|shes|sses)$/.test(verb)) return verb.slice(0, -2);
  if (/ies$/.test(verb)) return `${verb.slice(0, -3)}y`;
  if (/[^s]s$/.test(verb)) return verb.slice(0, -1);
  return infinitive(verb) ?? verb;
};

const isPast = (verb: string): boolean => !/s$/.test(verb);

function fact(
  clause: Clause,
  question: string,
  answer: string,
  answerType: Fact['answerType'],
  score: 1 | 2 | 3,
): Fact {
  return {
    family: 'quantity',
    question: question.replace(/\s+/g, ' '),
    answer,
    answerType,
    aliases: [],
    evidence: clause.sentence,
    score,
    group: `quantity/${answer}/${clause.subject}`,
  };
}

/** The rest of the clause behind a measure that may stay in the question; undefined where it starts anew. */
function remainder(after: string): string | undefined {
  const cut = /^(.*?)(?:[,;]|\s(?:and|but|which|that|when|where|while)\s|$)/.exec(after)![1]!;
  const rest = cut.replace(/\s*\([^)]*\)/g, '');
  return selfContained(rest) && rest.split(' ').length <= 12 ? rest : undefined;
}

/** Facts about the quantities and counts of one clause. */
export function quantityFacts(clause: Clause): Fact[] {
  if (!clause.named) return [];
  const text = clause.predicate;
  const quantities = scanQuantities(text).filter((quantity) => !quantity.ordinal);
  const first: Quantity | undefined = quantities[0];
  if (!first || /\bof (?:19|20)\d{2}\b/.test(text.slice(0, first.end))) return [];
  const start = /[$€£]/.test(text[first.start - 1] ?? '') ? first.start - 1 : first.start;
  const lead = text.slice(0, start);
  const after = text.slice(first.end);
  const answer = text.slice(start, first.end);

  const measured = MEASURE.exec(lead);
  const adjective = ADJECTIVE.exec(after);
  if (measured && adjective && first.unit) {
    const how =
      { across: 'wide', 'in diameter': 'large in diameter', 'in length': 'long', 'in height': 'high' }[
        adjective[1]!
      ] ?? adjective[1]!;
    const verb = /^(?:was|stood)$/.test(measured[1]!) ? 'was' : 'is';
    return [fact(clause, `How ${how} ${verb} ${clause.subject}?`, answer, 'quantity', 3)];
  }

  const ofNoun =
    /^(has|had) an? ((?:[a-z-]+ ){0,2}(?:length|height|width|depth|area|population|capacity|diameter|mass|weight|span|volume|speed|wingspan|boiling point|melting point|density|half-life|circumference|radius|thickness|elevation|drop|gauge))(?: of)? (?:about |around |approximately |some |nearly |over )?$/.exec(
      lead,
    );
  if (ofNoun) {
    if (/population/.test(ofNoun[2]!) || !first.unit) {
      const dated =
        /^(?: (?:people|inhabitants|residents))? (?:in|as of|at the) (?:the )?((?:\d{4})(?: census)?)/.exec(
          after,
        );
      if (!/population/.test(ofNoun[2]!) || !dated) return [];
      return [
        fact(
          clause,
          `What was the ${ofNoun[2]} of ${clause.subject} in ${dated[1]!.replace(/(\d{4}) census/, 'the $1 census').replace(/^the /, 'the ')}?`,
          answer,
          'number',
          3,
        ),
      ];
    }
    return [
      fact(
        clause,
        `What ${ofNoun[1] === 'had' ? 'was' : 'is'} the ${ofNoun[2]} of ${clause.subject}?`,
        answer,
        'quantity',
        3,
      ),
    ];
  }

  const verb = COUNTING.exec(lead);
  if (!verb) return [];
  const between = lead.slice(verb[0].length).trimStart();
  if (
    between !== '' &&
    !HEDGED.test(between) &&
    !/^(?:an area of|for|to|at) (?:about |around |nearly |over |more than )?$/.test(between)
  )
    return [];
  const base = present(verb[1]!);
  const aux = isPast(verb[1]!) ? 'did' : 'does';
  if (first.unit) {
    const rest = remainder(after);
    if (rest === undefined || (/^ \p{L}+/u.test(rest) === false && rest !== '')) return [];
    if (/^ (?:of|or|to|by|per|a|above|below|x|×)\b/.test(rest)) {
      if (/^ (?:rise|reach)/.test(` ${base}`) && /^ above sea level/.test(rest)) {
        return [
          fact(
            clause,
            `To what height above sea level ${aux} ${clause.subject} ${base}?`,
            answer,
            'quantity',
            3,
          ),
        ];
      }
      return [];
    }
    const question: Record<string, string> = {
      cover: `What area ${aux} ${clause.subject} cover${rest}?`,
      weigh: `How much ${aux} ${clause.subject} weigh${rest}?`,
      last: `How long ${aux} ${clause.subject} last${rest}?`,
      take: `How long ${aux} ${clause.subject} take${rest}?`,
      span: `What distance ${aux} ${clause.subject} span${rest}?`,
      run: `For what distance ${aux} ${clause.subject} run${rest}?`,
      flow: `For what distance ${aux} ${clause.subject} flow${rest}?`,
      stretch: `For what distance ${aux} ${clause.subject} stretch${rest}?`,
      cost: `How much ${aux} ${clause.subject} cost${rest}?`,
    };
    const asked = question[base];
    if (!asked) return [];
    if (/^(?:run|flow|stretch|span)$/.test(base) && first.unit.dimension !== 'length') return [];
    if (/^(?:take|last)$/.test(base) && first.unit.dimension !== 'time') return [];
    if (base === 'cover' && first.unit.dimension !== 'area') return [];
    return [fact(clause, asked, answer, 'quantity', 3)];
  }
  // Counts: the noun that is counted follows the number.
  if (
    !/^(?:have|contain|hold|comprise|house|carry|employ|use|need|receive|produce|consist of)$/.test(
      base === 'consist' ? 'consist of' : base,
    )
  )
    return [];
  const noun = /^ ((?:[a-z][\p{L}-]+ ){0,3}?[a-z][\p{L}-]+s|people|children|men|women)\b(.*)$/u.exec(after);
  if (!noun || /\b(?:of|and|or|per|out|times)\b/.test(noun[1]!)) return [];
  const rest = remainder(noun[2]!);
  if (rest === undefined || /^ (?:or|to)\b/.test(rest)) return [];
  const of = base === 'consist of' || verb[1]!.startsWith('consist');
  return [
    fact(
      clause,
      of
        ? `Of how many ${noun[1]} ${aux} ${clause.subject} consist${rest}?`
        : `How many ${noun[1]} ${aux} ${clause.subject} ${base}${rest}?`,
      answer,
      'number',
      3,
    ),
  ];
}
