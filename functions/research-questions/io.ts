import { readJsonl } from '#shared/storage/jsonl.ts';
import { openCorpus } from '#shared/research/corpus/open.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import { isError } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { Knowledge } from './synthesis/knowledge.ts';

/** All rows of a JSONL object of ours; none where there is no object. */
export async function rowsOf<T>(artifacts: Artifacts, keyOrRef: string | ArtifactRef): Promise<T[]> {
  const rows: T[] = [];
  try {
    for await (const { value } of readJsonl(artifacts, keyOrRef)) rows.push(value as T);
  } catch (error) {
    if (!isError(error, 'NotFound')) throw error;
  }
  return rows;
}

/** Keys below a prefix, in order. */
export async function keysBelow(artifacts: Artifacts, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  let after: string | undefined;
  do {
    const page = await artifacts.list({ prefix, ...(after === undefined ? {} : { after }) });
    keys.push(...page.objects.map(({ key }) => key));
    after = page.next;
  } while (after !== undefined);
  return keys.sort();
}

const known = new WeakMap<object, Map<string, Promise<Knowledge>>>();

/** What a corpus offers, read once a process. */
export function knowledgeOf(runtime: Runtime, corpusId: string): Promise<Knowledge> {
  let corpora = known.get(runtime.artifacts);
  if (!corpora) known.set(runtime.artifacts, (corpora = new Map()));
  let knowledge = corpora.get(corpusId);
  if (!knowledge) {
    corpora.clear();
    knowledge = openCorpus(runtime, corpusId).then((corpus) => new Knowledge(corpus));
    corpora.set(corpusId, knowledge);
    knowledge.catch(() => corpora.delete(corpusId));
  }
  return knowledge;
}
