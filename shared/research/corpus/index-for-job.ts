import type { ArtifactRef } from '#shared/storage/ports.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { indexCorpus, type IndexStep } from './build.ts';
import { corpusMessage, type IndexKind } from './settings.ts';

/** The stage under which a job tells how far its corpus is: passages that have a vector. */
export const INDEX_STAGE = 'IndexCorpus';
/** At most so often. */
const TELL_MS = 2000;

/**
 * Builds the index of a job's corpus, or as much of it as there is time for, and says in the job's record how far it is
 * and, in the end, what was no document.
 * @throws as `indexCorpus`
 */
export async function indexForJob(
  ctx: Pick<TaskContext, 'runtime' | 'jobs' | 'deadline' | 'signal'> & {
    log: Pick<TaskContext['log'], 'warn'>;
  },
  jobId: string,
  request: { documents: ArtifactRef; index: IndexKind },
): Promise<IndexStep> {
  const { runtime, jobs } = ctx;
  let toldAt = runtime.clock.now();
  let telling: Promise<void> = Promise.resolve();
  const tell = async (passages: number, embedded: number): Promise<void> => {
    await jobs.stage(jobId, INDEX_STAGE, passages);
    await jobs.advance(jobId, INDEX_STAGE, 'passages', embedded);
  };
  const step = await indexCorpus(runtime, {
    ...request,
    owner: jobId,
    deadline: ctx.deadline,
    signal: ctx.signal,
    onProgress({ phase, passages, embedded }) {
      const now = runtime.clock.now();
      if (phase !== 'embed' || now - toldAt < TELL_MS) return;
      toldAt = now;
      telling = telling
        .then(() => tell(passages, embedded))
        // How far it is matters less than that it goes on.
        .catch((error: unknown) => ctx.log.warn('The progress was not told.', { error }));
    },
  });
  await telling;
  if (step.done) await jobs.event(jobId, { stage: INDEX_STAGE, ...corpusMessage(step.info) });
  return step;
}
