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

export const configHash = (input: QuestionsInput, model: string, corpus: ArtifactRef): string =>
  shortHash(input, model, corpus.sha256);

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
