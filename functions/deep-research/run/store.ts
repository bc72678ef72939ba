import type { Question } from '#shared/research/types.ts';
import { allItems } from '#shared/storage/all-items.ts';
import { GroupCommit } from '#shared/storage/group-commit.ts';
import { readJson } from '#shared/storage/jsonl.ts';
import type { ArtifactRef, Artifacts, ConditionalPut, RecordItem, Records } from '#shared/storage/ports.ts';
import { isError, notFound } from '#shared/task/errors.ts';
import { EVENT_PREFIX, HEAD, NOTE_PREFIX, pad, runPk, STEP_PREFIX, stepSk } from '../keys.ts';
import type { Run, Step, StoredObservation, StoredReply } from '../records.ts';
import type { RunEvent } from './events.ts';

/** How runs lie in the records: a head, their steps, people's notes, and events. */

export interface Head {
  run: Run;
  /** Kept with the run so that no slice has to look through the questions. */
  question: Question;
  /** The job's attempt in which it failed, was skipped or cancelled: a later attempt takes it up again. */
  endedAttempt?: number;
  /** The agent's state after some step, written when a slice ends: spares reading the steps before. */
  snapshot?: { n: number; ref: ArtifactRef };
  /** The item's. */
  version: number;
}

const json = (value: unknown): string => JSON.stringify(value);

const headPut = (jobId: string, head: Omit<Head, 'version'>): ConditionalPut['item'] => ({
  pk: runPk(jobId, head.run.runId),
  sk: HEAD,
  attributes: {
    run: json(head.run),
    question: json(head.question),
    status: head.run.status,
    ...(head.endedAttempt === undefined ? {} : { endedAttempt: head.endedAttempt }),
    ...(head.snapshot === undefined ? {} : { snapshot: json(head.snapshot) }),
  },
});

function headOf({ attributes, version }: RecordItem): Head {
  const { endedAttempt, snapshot } = attributes;
  return {
    run: JSON.parse(String(attributes.run)) as Run,
    question: JSON.parse(String(attributes.question)) as Question,
    ...(typeof endedAttempt === 'number' ? { endedAttempt } : {}),
    ...(typeof snapshot === 'string' ? { snapshot: JSON.parse(snapshot) as Head['snapshot'] & {} } : {}),
    version,
  };
}

/** Group commits by the records they go to: runs of one process share them. */
const commits = new WeakMap<Records, GroupCommit>();
function commitOf(records: Records): GroupCommit {
  let commit = commits.get(records);
  if (!commit) {
    commit = new GroupCommit(records);
    commits.set(records, commit);
  }
  return commit;
}

/** Writes the heads of new runs, each where there is none: repeating it changes nothing. */
export async function createRuns(
  records: Records,
  jobId: string,
  heads: readonly { run: Run; question: Question }[],
): Promise<void> {
  const outcomes = await Promise.all(
    heads.map((head) =>
      commitOf(records).putInOrder([{ item: headPut(jobId, head), options: { ifAbsent: true } }]),
    ),
  );
  for (const [outcome] of outcomes) {
    if (outcome!.status === 'rejected' && !isError(outcome!.reason, 'Conflict')) throw outcome!.reason;
  }
}

/** @throws NotFound */
export async function loadHead(records: Records, jobId: string, runId: string): Promise<Head> {
  const item = await records.get({ pk: runPk(jobId, runId), sk: HEAD });
  if (!item) throw notFound(`The job ${jobId} has no run ${runId}.`);
  return headOf(item);
}

/** Heads of runs in the order of their ids; those that are not there are left out. */
export async function* loadHeads(
  records: Records,
  jobId: string,
  runIds: Iterable<string> | AsyncIterable<string>,
): AsyncGenerator<Head> {
  let ids: string[] = [];
  const page = async (): Promise<Head[]> => {
    const items = await records.batchGet(ids.map((id) => ({ pk: runPk(jobId, id), sk: HEAD })));
    const byPk = new Map(items.map((item) => [item.pk, item]));
    return ids.flatMap((id) => {
      const item = byPk.get(runPk(jobId, id));
      return item ? [headOf(item)] : [];
    });
  };
  for await (const id of runIds) {
    ids.push(id);
    if (ids.length < 100) continue;
    yield* await page();
    ids = [];
  }
  if (ids.length > 0) yield* await page();
}

/** Writes a head over the version that was read. @returns the new version, undefined where somebody else wrote. */
export async function saveHead(records: Records, jobId: string, head: Head): Promise<number | undefined> {
  try {
    const item = await records.put(headPut(jobId, head), { ifVersion: head.version });
    return item.version;
  } catch (error) {
    if (isError(error, 'Conflict')) return undefined;
    throw error;
  }
}

const queryAll = (records: Records, pk: string, prefix: string, from?: string): Promise<RecordItem[]> =>
  allItems(records, { pk, sk: from === undefined ? { prefix } : { between: [from, `${prefix}~`] } });

/** The committed steps of a run in order, from `n` on. */
export async function loadSteps(records: Records, jobId: string, runId: string, from = 1): Promise<Step[]> {
  const items = await queryAll(records, runPk(jobId, runId), STEP_PREFIX, stepSk(from));
  return items.map(({ attributes }) => JSON.parse(String(attributes.step)) as Step);
}

/** People's notes to a run, oldest first, after the first `known`. */
export async function loadNotes(
  records: Records,
  jobId: string,
  runId: string,
  known = 0,
): Promise<string[]> {
  const items = await queryAll(records, runPk(jobId, runId), NOTE_PREFIX, NOTE_PREFIX + pad(known + 1));
  return items.map(({ attributes }) => String(attributes.text));
}

/** How long events are kept. */
const EVENT_SECONDS = 7 * 24 * 3600;

const eventPut = (
  jobId: string,
  runId: string,
  n: number,
  events: readonly RunEvent[],
  now: number,
): ConditionalPut['item'] => ({
  pk: runPk(jobId, runId),
  sk: EVENT_PREFIX + pad(n),
  attributes: { events: json(events) },
  ttl: Math.ceil(now / 1000) + EVENT_SECONDS,
});

/** The events of a run from step `n` on, step by step. */
export async function loadEvents(
  records: Records,
  jobId: string,
  runId: string,
  from = 0,
): Promise<{ n: number; events: RunEvent[] }[]> {
  const items = await queryAll(records, runPk(jobId, runId), EVENT_PREFIX, EVENT_PREFIX + pad(from));
  return items.map(({ sk, attributes }) => ({
    n: Number(sk.slice(EVENT_PREFIX.length)),
    events: JSON.parse(String(attributes.events)) as RunEvent[],
  }));
}

/** Tells events of a step before it is committed: the same ones come again with the commit. */
export async function tellEvents(
  records: Records,
  jobId: string,
  runId: string,
  n: number,
  events: readonly RunEvent[],
  now: number,
): Promise<void> {
  await commitOf(records).put(eventPut(jobId, runId, n, events, now));
}

/**
 * Commits a step: the step where there is none of its number, then the head over the version that was read, then the
 * step's events, which come to the same whoever writes them.
 * @returns the head's new version, undefined where another slice has committed this step: its writer goes on from
 *   there. A head that somebody else wrote is only a cache.
 */
export async function commitStep(
  records: Records,
  jobId: string,
  given: { step: Step; head: Head; events: readonly RunEvent[]; now: number },
): Promise<{ version?: number } | undefined> {
  const { step, head, events, now } = given;
  const { runId } = head.run;
  const [stepPut, headDone, told] = await commitOf(records).putInOrder([
    {
      item: { pk: runPk(jobId, runId), sk: stepSk(step.n), attributes: { step: json(step) } },
      options: { ifAbsent: true },
    },
    { item: headPut(jobId, head), options: { ifVersion: head.version } },
    { item: eventPut(jobId, runId, step.n, events, now) },
  ]);
  if (stepPut!.status === 'rejected') {
    if (isError(stepPut!.reason, 'Conflict')) return undefined;
    throw stepPut!.reason;
  }
  for (const outcome of [headDone!, told!]) {
    if (outcome.status === 'rejected' && !isError(outcome.reason, 'Conflict')) throw outcome.reason;
  }
  return headDone!.status === 'fulfilled' ? { version: headDone!.value.version } : {};
}

/** What a committed step's references hold. */
export async function loadTexts(
  artifacts: Artifacts,
  step: Step,
): Promise<{ reply: StoredReply; observation?: StoredObservation }> {
  const [reply, observation] = await Promise.all([
    readJson(artifacts, step.outputRef) as Promise<StoredReply>,
    step.observationRef
      ? (readJson(artifacts, step.observationRef) as Promise<StoredObservation>)
      : Promise.resolve(undefined),
  ]);
  return { reply, ...(observation ? { observation } : {}) };
}
