import { seededRng } from '#shared/determinism/rng.ts';
import { requestFor } from '#shared/models/role.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { corpusUrl } from '#shared/research/corpus/url.ts';
import { questionId } from '#shared/research/ids.ts';
import type { Fact, Question, RubricItem } from '#shared/research/types.ts';
import { splitOf, type QuestionsConfig } from '../config.ts';
import type { Reject } from '../records.ts';
import { writeRubricRole, type WriteRubricOutput } from '../roles/write-rubric.ts';
import type { Knowledge } from './knowledge.ts';

/** Report questions: an entity with enough facts, an instruction, a rubric. */

const LEAST_FACTS = 4;
const PAGE_CHARS = 6000;
const MOST_PAGES = 3;
const CATEGORIES: RubricItem['category'][] = ['factuality', 'compliance', 'writing', 'citations'];

interface Topic {
  entity: string;
  documents: string[];
  facts: Fact[];
}

/** The topics in a seeded order: as many as reports are wanted, with some to spare. */
export function topicsOf(knowledge: Knowledge, config: QuestionsConfig): Topic[] {
  const { reports, seed } = config.input;
  const topics: Topic[] = [];
  for (const { entity, facts } of knowledge.entities()) {
    const first = facts[0]!.documentId;
    const split = splitOf(config, first);
    const askable = facts.filter(
      (fact) => splitOf(config, fact.documentId) === split && knowledge.isAskable(fact),
    );
    const documents = [...new Set(askable.map(({ documentId }) => documentId))].slice(0, MOST_PAGES);
    const held = askable.filter(({ documentId }) => documents.includes(documentId));
    if (held.length >= LEAST_FACTS) topics.push({ entity, documents, facts: held });
  }
  return seededRng(seed, 'reports')
    .shuffle(topics)
    .slice(0, Math.ceil(reports * 1.5));
}

const rubricId = (topic: Topic, index: number): string =>
  `t-${index}-${topic.documents[0]!}`.slice(0, 100) + ':write-rubric';

export function rubricRequests(
  topics: readonly Topic[],
  knowledge: Knowledge,
  config: QuestionsConfig,
): InferRequest[] {
  return topics.map((topic, index) => {
    const rng = seededRng(config.input.seed, 'rubric', topic.entity);
    const facts = rng.shuffle(topic.facts).map(({ relation, head, path }) => ({ relation, head, path }));
    return requestFor(
      writeRubricRole,
      {
        topic: topic.entity,
        entityNoun: config.input.corpus.entityNoun,
        pages: topic.documents.map((documentId) => {
          const document = knowledge.document(documentId);
          return {
            url: corpusUrl(documentId),
            title: document?.title ?? documentId,
            text: (document?.text ?? '').slice(0, PAGE_CHARS),
          };
        }),
        ...(config.builtin ? { analysis: { facts: facts.slice(0, 12) } } : {}),
      },
      { id: rubricId(topic, index), model: config.model },
    );
  });
}

/** The report questions from what write-rubric answered. */
export function reportQuestions(
  topics: readonly Topic[],
  results: ReadonlyMap<string, InferResult>,
  config: QuestionsConfig,
  stopped: boolean,
): { questions: Question[]; rejects: Reject[] } {
  const questions: Question[] = [];
  const rejects: Reject[] = [];
  for (const [index, topic] of topics.entries()) {
    if (questions.length >= config.input.reports) break;
    const result = results.get(rubricId(topic, index));
    const reject = (code: Reject['code'], detail: string): void =>
      void rejects.push({ id: topic.documents[0]!, stage: 'rubric', code, detail });
    if (result?.status !== 'ok') {
      if (!stopped) reject('model_failed', `No rubric: ${result?.error?.code ?? 'no answer'}.`);
      continue;
    }
    const { instruction, rubric } = result.output as WriteRubricOutput;
    const missing = CATEGORIES.filter((category) => !rubric.some((item) => item.category === category));
    const ids = new Set(rubric.map(({ id }) => id));
    if (missing.length > 0) reject('bad_output', `The rubric has no item of ${missing.join(', ')}.`);
    else if (ids.size < rubric.length) reject('bad_output', 'Two items of the rubric have one id.');
    else {
      questions.push({
        id: questionId('report', instruction),
        kind: 'report',
        text: instruction,
        rubric,
        evidence: topic.facts
          .slice(0, 12)
          .map((fact) => ({ url: corpusUrl(fact.documentId), quote: fact.text.trim() })),
        split: splitOf(config, topic.documents[0]!),
      });
    }
  }
  return { questions, rejects };
}
