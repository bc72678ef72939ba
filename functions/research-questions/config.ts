import { hashOf } from '#shared/determinism/hash.ts';
import { shortHash } from '#shared/research/ids.ts';
import { readJson } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import type { QuestionsInput } from './input.ts';

/** Everything a job's tasks need to know, made once by `prepare`. */
export interface QuestionsConfig {
  jobId: string;
  input: QuestionsInput;
  model: string;
  /** No language model: algorithms write and validate, and closed-book questions are not asked. */
  builtin: boolean;
  band: { min: number; max: number };
  corpus: ArtifactRef;
  cfg: string;
}

/** Objects count by what they hold, not by where they lie: the same files uploaded twice make the same questions. */
export function configHash(
  input: QuestionsInput,
  model: string,
  content: { corpus: ArtifactRef; exclude?: ArtifactRef | undefined },
): string {
  const { corpus, exclude: _exclude, ...settings } = input;
  const { ref: _ref, ...reading } = corpus;
  return shortHash(
    { ...settings, corpus: reading },
    model,
    content.corpus.sha256,
    content.exclude?.sha256 ?? null,
  );
}

export const loadConfig = async (artifacts: Artifacts, ref: ArtifactRef): Promise<QuestionsConfig> =>
  (await readJson(artifacts, ref)) as QuestionsConfig;

/** A number in [0, 1) that a seed and a thing always lead to. */
export const lot = (...content: unknown[]): number =>
  Number.parseInt(hashOf(content).slice(0, 8), 16) / 2 ** 32;

/** The split of a document: questions stand on documents of one split only. */
export const splitOf = ({ input }: Pick<QuestionsConfig, 'input'>, documentId: string): 'train' | 'test' =>
  lot('split', documentId) < input.testShare ? 'test' : 'train';

/** The number of facts a question is to need where no solver says how hard it is. */
export const targetHops = ({ input }: Pick<QuestionsConfig, 'input'>, id: string): number => {
  const { min, max } = input.hops;
  return min + Math.floor(lot(input.seed, 'hops', id) * (max - min + 1));
};
