import { z } from 'zod';
import { indexCorpus } from '#shared/research/corpus/build.ts';
import { writeJson } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts } from '#shared/storage/ports.ts';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { invalidInput, isError } from '#shared/task/errors.ts';
import { loadConfig } from '../config.ts';
import type { InputRef } from '../input.ts';
import { keysOf } from '../keys.ts';
import { jobInput } from './schemas.ts';

/** `IndexCorpus`: builds the index of the corpus, or a part of it; invoked again until it is done. */
export const handler = defineTask({
  name: 'deep-research/index-corpus',
  input: z.object(jobInput),
  output: z.object({ done: z.boolean(), corpusId: z.string().optional() }),
  async run({ jobId, config: ref }, ctx) {
    const { artifacts, runtime } = ctx;
    const config = await loadConfig(artifacts, ref);
    const { corpus } = config.input;
    if (!corpus) return { done: true };
    const documents = await wholeRef(artifacts, corpus.ref);
    const step = await indexCorpus(runtime, {
      documents,
      index: corpus.index,
      owner: jobId,
      deadline: ctx.deadline,
      signal: ctx.signal,
    });
    if (!step.done) return { done: false };
    await writeJson(artifacts, keysOf(jobId).at('corpus.json'), step.info);
    await ctx.jobs.event(jobId, {
      level: step.info.rejects > 0 ? 'warn' : 'info',
      stage: 'IndexCorpus',
      message: `The corpus has ${step.info.documents} documents in ${step.info.passages} passages; ${step.info.rejects} lines were no documents.`,
    });
    return { done: true, corpusId: step.corpusId };
  },
});

/** A reference with hash and size, which people need not give. @throws InvalidInput where there is no such object. */
async function wholeRef(artifacts: Artifacts, ref: InputRef): Promise<ArtifactRef> {
  const { key } = ref;
  try {
    const head = await artifacts.head(key);
    const sha256 = ref.sha256 ?? head.sha256 ?? (await hashOf(artifacts, key));
    return { key, sha256, bytes: ref.bytes ?? head.bytes };
  } catch (error) {
    if (!isError(error, 'NotFound')) throw error;
    throw invalidInput(`There is no corpus "${key}": upload it first.`, {
      problems: [{ pointer: '/corpus/ref/key', code: 'not-found', detail: 'There is no such object.' }],
    });
  }
}

async function hashOf(artifacts: Artifacts, key: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await artifacts.get(key)).body) chunks.push(chunk);
  return sha256Hex(Buffer.concat(chunks));
}
