import type { Corpus } from '#shared/research/corpus/corpus.ts';
import type { CorpusDocument } from '#shared/research/corpus/documents.ts';
import { corpusUrl } from '#shared/research/corpus/url.ts';
import { normaliseText } from '#shared/research/facts/normalise.ts';
import type { Fact } from '#shared/research/types.ts';
import { STOP_WORDS } from '#shared/text/stop-words.ts';
import { unitNamed } from '#shared/text/units.ts';
import type { Candidate } from '../records.ts';
import { entityNames, holds, isName, isSingleValued } from './entities.ts';

/**
 * What a corpus offers for questions (specification section 9): facts by entity and relation, which facts may be asked
 * for, and which ones describe an entity without naming it. Read once from the corpus's facts.
 */
export class Knowledge {
  readonly #corpus: Corpus;
  readonly #entityOf: (title: string) => string;
  readonly #facts: Fact[] = [];
  /** By normal form of the entity. */
  readonly #byEntity = new Map<string, Fact[]>();
  readonly #byRelation = new Map<string, Fact[]>();
  /** By normal form of the head: what may link to an entity of that name. */
  readonly #byHead = new Map<string, Fact[]>();
  readonly #frequency = new Map<string, number>();
  /** Values of a relation in normal form. */
  readonly #values = new Map<string, { entity: string; normal: string }[]>();
  readonly documents: number;

  constructor(corpus: Corpus) {
    this.#corpus = corpus;
    this.documents = corpus.info.documents;
    this.#entityOf = entityNames(Array.from(corpus.documents(), ({ title }) => title));
    for (const fact of corpus.facts()) {
      this.#facts.push(fact);
      add(this.#byEntity, normaliseText(this.entityOf(fact)), fact);
      add(this.#byRelation, fact.relation, fact);
      add(this.#byHead, normaliseText(fact.head), fact);
    }
  }

  entityOf({ title }: Pick<Fact, 'title'>): string {
    return this.#entityOf(title);
  }

  document(id: string): CorpusDocument | undefined {
    return this.#corpus.document(id);
  }

  /** Entities with their facts, in corpus order. */
  *entities(): Generator<{ entity: string; facts: readonly Fact[] }> {
    for (const facts of this.#byEntity.values()) yield { entity: this.entityOf(facts[0]!), facts };
  }

  /** Whether a fact may be asked for: `seeds` are those under a relation that enough documents have. */
  isAskable(fact: Fact): boolean {
    return this.#isSeed(fact);
  }

  /** Facts that may be asked for: one short value, under a relation that enough documents have. In corpus order. */
  seeds(): Candidate[] {
    const least = Math.max(5, Math.min(20, 0.05 * this.documents));
    const common = new Set(
      this.#corpus
        .relations()
        .filter(({ documents }) => documents >= least)
        .map(({ relation }) => relation),
    );
    return this.#facts
      .filter((fact) => common.has(fact.relation) && this.#isSeed(fact))
      .map((fact) => this.#candidate('seed', fact));
  }

  #isSeed(fact: Fact): boolean {
    const { head, value, relation } = fact;
    const entity = this.entityOf(fact);
    if (head.length < 2 || head.length > 60 || head.split(/\s+/).length > 8) return false;
    if (!isSingleValued(fact) || !isName(head) || holds(head, entity) || holds(entity, head)) return false;
    // Where a relation has several values for the entity, none is the answer.
    return this.#valuesOf(entity, relation).length === 1 && !/\bsee\b|\bsame as\b/i.test(value);
  }

  #valuesOf(entity: string, relation: string): Fact[] {
    return (this.#byEntity.get(normaliseText(entity)) ?? []).filter((fact) => fact.relation === relation);
  }

  /**
   * Descriptions of an entity by links, the facts of other documents whose one value is its name, and by attributes,
   * facts of its own whose value no other entity has. Links first, each in corpus order.
   */
  bridges(entity: string, answer: string, used: readonly string[]): Candidate[] {
    const isUsed = new Set(used);
    const links = (this.#byHead.get(normaliseText(entity)) ?? []).filter(
      (fact) =>
        normaliseText(this.entityOf(fact)) !== normaliseText(entity) &&
        isSingleValued(fact) &&
        !isUsed.has(fact.relation) &&
        !holds(this.entityOf(fact), entity) &&
        !holds(answer, this.entityOf(fact)) &&
        !holds(this.entityOf(fact), answer) &&
        this.#valuesOf(this.entityOf(fact), fact.relation).length === 1,
    );
    const attributes = (this.#byEntity.get(normaliseText(entity)) ?? []).filter(
      (fact) => !isUsed.has(fact.relation) && this.#isAttribute(fact, entity, answer),
    );
    return [
      ...links.map((fact) => this.#candidate('link', fact)),
      ...attributes.map((fact) => this.#candidate('attribute', fact)),
    ];
  }

  #isAttribute(fact: Fact, entity: string, answer: string): boolean {
    const { head, relation } = fact;
    if (head.length < 3 || head.length > 60 || head.split(/\s+/).length > 8 || !isSingleValued(fact))
      return false;
    if (/^[\d\s.,%$€£-]*\d/.test(head) || !isName(head)) return false;
    if (holds(head, entity) || holds(head, answer) || holds(answer, head) || holds(relation, answer))
      return false;
    // Parts of a long name give it away as well.
    if (namesIn(head).some((word) => namesIn(entity).includes(word))) return false;
    if (this.#valuesOf(entity, relation).length !== 1 || this.entitiesWith(relation, head).length !== 1)
      return false;
    return this.#hasRareWord(head);
  }

  /** Entities that have a value with these words under a relation. */
  entitiesWith(relation: string, value: string): string[] {
    let values = this.#values.get(relation);
    if (!values) {
      values = (this.#byRelation.get(relation) ?? []).map((fact) => ({
        entity: this.entityOf(fact),
        normal: ` ${normaliseText(fact.value)} `,
      }));
      this.#values.set(relation, values);
    }
    const wanted = ` ${normaliseText(value)} `;
    const found = values.filter(({ normal }) => wanted.trim() !== '' && normal.includes(wanted));
    return [...new Set(found.map(({ entity }) => entity))];
  }

  /** Heads of an entity's facts under a relation. */
  headsOf(entity: string, relation: string): string[] {
    return this.#valuesOf(entity, relation).map(({ head }) => head);
  }

  /** A word of three letters or more, no unit, that at most 5 % of the documents have: what makes it possible to look for. */
  #hasRareWord(value: string): boolean {
    const words = normaliseText(value).split(' ');
    return words.some((word) => {
      if (!/^\p{L}{3,}$/u.test(word) || STOP_WORDS.has(word) || unitNamed(word)) return false;
      let found = this.#frequency.get(word);
      if (found === undefined) this.#frequency.set(word, (found = this.#corpus.documentsWith(word)));
      return found > 0 && found <= Math.max(1, 0.05 * this.documents);
    });
  }

  #candidate(form: Candidate['form'], fact: Fact): Candidate {
    return {
      form,
      entity: this.entityOf(fact),
      relation: fact.relation,
      value: fact.head,
      documentId: fact.documentId,
      evidence: { url: corpusUrl(fact.documentId), quote: fact.text.trim() },
    };
  }
}

const namesIn = (text: string): string[] =>
  normaliseText(text)
    .split(' ')
    .filter((word) => word.length >= 4 && !STOP_WORDS.has(word));

function add(map: Map<string, Fact[]>, key: string, fact: Fact): void {
  const known = map.get(key);
  if (known) known.push(fact);
  else map.set(key, [fact]);
}
