import {
  evaluateRetrieval,
  type RetrievalQuestion,
  type RetrievalScores,
} from '#shared/library/evaluation.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { MAX_K, searchTools, type SearchIndex } from '#shared/library/search.ts';
import type { Encoder } from '#shared/text/encoder.ts';
import { centroid, dot } from '#shared/text/vectors.ts';
import { fragmented, type Built } from './libraries.ts';

/** Recall over a library, the tools it was made from, and those tools behind their clusters (section 10). */

export type Queries = 'source' | 'held back' | 'held back, generated';

/** Source questions asked at most; of more, a seeded sample: each costs as much as a tool to embed. */
const SOURCE_QUESTIONS = 300;

export interface Line {
  library: 'fragmented' | 'clustered' | 'aggregated';
  tools: number;
  queries: Queries;
  relevance: 'strict' | 'functional';
  scores: RetrievalScores;
}

/** Questions with the source tools that answer them. */
interface Asked {
  question: string;
  sources: ReadonlySet<string>;
}

const group = <K, V>(pairs: Iterable<readonly [K, V]>): Map<K, Set<V>> => {
  const grouped = new Map<K, Set<V>>();
  for (const [key, value] of pairs) grouped.set(key, (grouped.get(key) ?? new Set<V>()).add(value));
  return grouped;
};

/** Source questions with the tool that has their case. */
const strictQuestions = ({ cases }: Built): Asked[] => {
  const sources = group(cases.map(({ questionId, toolId }) => [questionId, toolId] as const));
  const questions = new Map(cases.map(({ questionId, question }) => [questionId, question]));
  return [...questions].map(([id, question]) => ({ question, sources: sources.get(id)! }));
};

/** Questions of other tools with the tools of a library that have the same skeleton; those without any are left out. */
function functionalQuestions(built: Built, asked: Built): Asked[] {
  const bySkeleton = group([...built.skeletons].map(([id, text]) => [text, id] as const));
  return strictQuestions(asked).flatMap(({ question, sources }) => {
    const same = [...sources].flatMap((id) => [...(bySkeleton.get(asked.skeletons.get(id) ?? '') ?? [])]);
    return same.length === 0 ? [] : [{ question, sources: new Set(same) }];
  });
}

/** @param held tools of problems that the library was not built from. */
export async function retrieval(
  built: Built,
  held: ReadonlyMap<Queries, Built>,
  encoder: Encoder,
): Promise<Line[]> {
  const parts = await fragmented(built, encoder);
  const replaced = group(
    built.aggregated.flatMap((tool) => tool.mapping.map(({ toolId }) => [toolId, tool.id] as const)),
  );
  const inLibrary = ({ question, sources }: Asked): RetrievalQuestion => ({
    question,
    relevant: new Set([...sources].flatMap((id) => [...(replaced.get(id) ?? [])])),
  });
  const asIs = ({ question, sources }: Asked): RetrievalQuestion => ({ question, relevant: sources });
  const byLeaf = clusteredSearch(parts, encoder);

  const lines: Line[] = [];
  const sets = [
    {
      queries: 'source' as const,
      relevance: 'strict' as const,
      asked: seededRng('bench', 'source questions')
        .shuffle(strictQuestions(built))
        .slice(0, SOURCE_QUESTIONS),
    },
    ...[...held].map(([queries, other]) => ({
      queries,
      relevance: 'functional' as const,
      asked: functionalQuestions(built, other),
    })),
  ];
  for (const { queries, relevance, asked } of sets) {
    const add = (library: Line['library'], tools: number, scores: RetrievalScores) =>
      lines.push({ library, tools, queries, relevance, scores });
    if (asked.length === 0) continue;
    const whole = asked.map(asIs);
    add('fragmented', parts.rows.length, await evaluateRetrieval(parts, whole, encoder));
    add('clustered', parts.rows.length, await evaluateRetrieval(parts, whole, encoder, { search: byLeaf }));
    const { index } = built.library;
    const merged = asked.map(inLibrary).filter(({ relevant }) => relevant.size > 0);
    add('aggregated', index.rows.length, await evaluateRetrieval(index, merged, encoder));
  }
  return lines;
}

/** First the leaf whose tools' centroid is nearest, then the tools in it. */
function clusteredSearch(index: SearchIndex, encoder: Encoder): (query: string) => Promise<string[]> {
  const { rows, vectors } = index;
  const places = group(rows.map(({ clusterId }, place) => [clusterId, place] as const));
  const one = (place: number): Float32Array => vectors.row(place);
  const leaves = [...places].map(([clusterId, members]) => {
    const own = [...members].map(one);
    return { clusterId, direction: centroid(own) ?? own[0]! };
  });
  return async (query) => {
    const [vector] = await encoder.embed([query]);
    const [nearest] = leaves
      .map(({ clusterId, direction }) => ({ clusterId, near: dot(vector!, direction) }))
      .sort((a, b) => b.near - a.near || (a.clusterId < b.clusterId ? -1 : 1));
    const hits = await searchTools(index, { query, k: MAX_K, cluster: nearest!.clusterId }, encoder);
    return hits.map(({ toolId }) => toolId);
  };
}

/** Remembers the vectors of questions: each is asked of three libraries, at every size. */
export function remembering(encoder: Encoder): Encoder {
  const known = new Map<string, Promise<Float32Array>>();
  return {
    id: encoder.id,
    dims: encoder.dims,
    embed: (texts, options) =>
      Promise.all(
        texts.map((text) => {
          let vector = known.get(text);
          if (!vector) known.set(text, (vector = encoder.embed([text], options).then(([one]) => one!)));
          return vector;
        }),
      ),
  };
}
