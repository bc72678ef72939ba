import { isoTime } from '#shared/determinism/clock.ts';
import { workflowOfJob } from '#shared/determinism/ids.ts';
import type { Condition, Json, RecordChange, RecordItem } from '#shared/storage/ports.ts';
import { allItems, itemPages } from '#shared/storage/all-items.ts';
import { conflict, isError, notFound } from './errors.ts';
import {
  activePk,
  activeSk,
  childSk,
  doneSk,
  jobPk,
  jobPut,
  META,
  readEvent,
  readJob,
  shardSk,
  stageSk,
  type StoredJob,
} from './job-records.ts';
import { listJobs, type JobPage, type JobQuery } from './job-list.ts';
import {
  isTerminal,
  JOB_STATUSES,
  type Job,
  type JobEvent,
  type JobProgress,
  type JobStatus,
} from './jobs.ts';
import type { Runtime } from './runtime.ts';

export type { StoredJob } from './job-records.ts';

/** How stale the cancel flag and a job's attempt may be in a process. */
const FACTS_MS = 5_000;
/** An event's data beyond this is left out. */
const MAX_EVENT_BYTES = 8 * 1024;

/** What tasks need of a job's record, up to 5 s old. */
export interface JobFacts {
  owner: string;
  attempt: number;
  status: JobStatus;
  executionId?: string;
  cancelRequested: boolean;
  ttl?: number;
}

export interface StatusChange {
  status: JobStatus;
  /** Change only while the job is in one of these; default: any that has not ended. */
  from?: readonly JobStatus[];
  /** Change only this attempt: a stale execution must not close a resumed job. */
  attempt?: number;
  patch?: Partial<
    Pick<Job, 'error' | 'yields' | 'cost' | 'executionId' | 'progress' | 'startedAt' | 'endedAt'>
  >;
  /** Who ended it. */
  closedBy?: StoredJob['closedBy'];
}

export interface JobStore extends JobProgress {
  /** Writes the record of a new job. @throws Conflict, with `data.current`, where the job exists. */
  create(job: Job, extra?: { bodyHash?: string; ttl?: number }): Promise<StoredJob>;
  /** The job with its progress counted, or undefined. */
  get(jobId: string): Promise<StoredJob | undefined>;
  /** @throws NotFound where there is no such job. */
  require(jobId: string): Promise<StoredJob>;
  /** Sets plain fields of the record. */
  update(
    jobId: string,
    patch: Partial<Pick<Job, 'executionId' | 'yields' | 'cost' | 'budget' | 'model'>>,
  ): Promise<StoredJob>;
  /** Moves the job to another status. @throws Conflict where status or attempt are not the expected ones. */
  setStatus(jobId: string, change: StatusChange): Promise<StoredJob>;
  /** Makes an ended job run again: QUEUED, no end, no error, no cancel flag; `attempt` as given. @throws Conflict */
  reopen(stored: StoredJob, change: { attempt: number; budget?: Job['budget'] }): Promise<StoredJob>;
  list(query: JobQuery): Promise<JobPage>;
  /** Events in the order of time, those behind `after`. `next` is the last one's place: followers pass it as `after`. */
  events(
    jobId: string,
    options?: { limit?: number; after?: string },
  ): Promise<{ items: JobEvent[]; next?: string }>;
  /** Sets the cancel flag. @throws NotFound; Conflict when the job has ended. */
  requestCancel(jobId: string): Promise<StoredJob>;
  facts(jobId: string): Promise<JobFacts | undefined>;
  /**
   * Notes that a job starts another and waits for it: who cancels the one cancels the other. Write it before the other's
   * record, and look at the cancel flag after that: then no order of events misses one.
   */
  addChild(jobId: string, childId: string): Promise<void>;
  /** Ids of the jobs that a job has started so far, ended or not. */
  children(jobId: string): Promise<string[]>;
  /** The remembered output of a task that declared `once`. */
  done(jobId: string, task: string, key: string): Promise<{ output: Json } | undefined>;
  /** Remembers an output; the first one wins and is returned. */
  markDone(jobId: string, task: string, key: string, output: Json): Promise<Json>;
  /** Jobs of a workflow that may not have ended, those of one owner where given. Each may be stale: read the job. */
  active(workflow: string, owner?: string): Promise<{ jobId: string; owner: string; since: string }[]>;
  /** Forgets that a job is active. */
  deactivate(workflow: string, owner: string, jobId: string): Promise<void>;
}

const notEnded: Condition = {
  all: JOB_STATUSES.filter(isTerminal).map((status) => ({ attribute: 'status', op: '<>', value: status })),
};

const EVENT = 'EVENT#';
let eventCount = 0;

const caches = new WeakMap<object, Map<string, { at: number; facts: JobFacts | undefined }>>();
const MAX_CACHED = 1_000;

/** Jobs in the records of a runtime: creation, status, progress, events, the cancel flag (infra-api-cli section 3). */
export function jobStore(runtime: Pick<Runtime, 'records' | 'clock' | 'ids'>): JobStore {
  const { records, clock, ids } = runtime;
  const cache = caches.get(records) ?? new Map<string, { at: number; facts: JobFacts | undefined }>();
  caches.set(records, cache);
  const now = (): string => isoTime(clock.now());

  const remember = (jobId: string, stored: StoredJob | undefined): JobFacts | undefined => {
    const facts = stored && {
      owner: stored.job.owner,
      attempt: stored.job.attempt,
      status: stored.job.status,
      ...(stored.job.executionId === undefined ? {} : { executionId: stored.job.executionId }),
      cancelRequested: stored.cancelRequestedAt !== undefined,
      ...(stored.ttl === undefined ? {} : { ttl: stored.ttl }),
    };
    if (cache.size >= MAX_CACHED) cache.clear();
    cache.set(jobId, { at: clock.now(), facts });
    return facts;
  };

  const read = async (jobId: string): Promise<StoredJob | undefined> => {
    const item = await records.get({ pk: jobPk(jobId), sk: META });
    const stored = item && readJob(item);
    remember(jobId, stored);
    return stored;
  };

  const change = async (
    jobId: string,
    change: RecordChange,
    condition: Condition[] = [],
  ): Promise<StoredJob> => {
    const exists: Condition = { attribute: 'jobId', exists: true };
    try {
      const item = await records.update({ pk: jobPk(jobId), sk: META }, change, {
        condition: { all: [exists, ...condition] },
      });
      const stored = readJob(item);
      remember(jobId, stored);
      return stored;
    } catch (error) {
      if (isError(error, 'Conflict') && error.data.current === null)
        throw notFound(`There is no job ${jobId}.`);
      throw error;
    }
  };

  const facts = async (jobId: string): Promise<JobFacts | undefined> => {
    const cached = cache.get(jobId);
    const age = cached ? clock.now() - cached.at : Infinity;
    // A flag is never believed twice: the job may have been resumed since, and its new attempt must not be stopped.
    const lasting = cached?.facts !== undefined && !cached.facts.cancelRequested;
    if (lasting && age >= 0 && age < FACTS_MS) return cached.facts;
    return remember(jobId, await read(jobId));
  };

  const ttlOf = async (jobId: string): Promise<{ ttl?: number }> => {
    const known = await facts(jobId);
    return known?.ttl === undefined ? {} : { ttl: known.ttl };
  };

  const activate = (job: Job): Promise<unknown> =>
    records.put({
      pk: activePk(job.workflow),
      sk: activeSk(job.owner, job.jobId),
      attributes: { jobId: job.jobId, owner: job.owner, since: now() },
    });
  const deactivate = (workflow: string, owner: string, jobId: string): Promise<void> =>
    records.delete({ pk: activePk(workflow), sk: activeSk(owner, jobId) });

  const doneUnits = async (jobId: string, stage: string): Promise<number> => {
    let sum = 0;
    for await (const page of itemPages(records, { pk: jobPk(jobId), sk: { prefix: shardSk(stage, '') } })) {
      for (const { attributes } of page) sum += typeof attributes.done === 'number' ? attributes.done : 0;
    }
    return sum;
  };

  /** Counts the current stage's shards; an ended job's progress is as it was counted at its end. */
  const withProgress = async (stored: StoredJob): Promise<StoredJob> => {
    const { job } = stored;
    if (isTerminal(job.status) || job.progress.stage === '') return stored;
    const done = Math.min(await doneUnits(job.jobId, job.progress.stage), job.progress.total);
    return { ...stored, job: { ...job, progress: { ...job.progress, done } } };
  };

  const event: JobStore['event'] = async (jobId, given) => {
    const time = now();
    const data =
      given.data !== undefined && JSON.stringify(given.data).length > MAX_EVENT_BYTES
        ? undefined
        : given.data;
    await records.put({
      pk: jobPk(jobId),
      // The count keeps a process's events of one millisecond in order.
      sk: `${EVENT}${time}#${String(eventCount++ % 1_000_000).padStart(6, '0')}${ids.hex(32)}`,
      attributes: JSON.parse(JSON.stringify({ ...given, data, time })) as Record<string, Json>,
      ...(await ttlOf(jobId)),
    });
  };

  const store: JobStore = {
    event,
    facts,
    deactivate,

    async create(job, extra = {}) {
      // First the mark: one without a job is swept away, a job without one would never be looked after.
      if (!isTerminal(job.status)) await activate(job);
      const stored = readJob(await records.put(jobPut(job, extra), { ifAbsent: true }));
      remember(job.jobId, stored);
      return stored;
    },

    async get(jobId) {
      const stored = await read(jobId);
      return stored && (await withProgress(stored));
    },

    async require(jobId) {
      const stored = await store.get(jobId);
      if (!stored) throw notFound(`There is no job ${jobId}.`);
      return stored;
    },

    update: (jobId, patch) => change(jobId, { set: plain(patch) }),

    async setStatus(jobId, { status, from, attempt, patch = {}, closedBy }) {
      const conditions: Condition[] = [];
      if (attempt !== undefined) conditions.push({ attribute: 'attempt', op: '=', value: attempt });
      if (from === undefined) conditions.push(notEnded);
      else {
        const others = JOB_STATUSES.filter((other) => !from.includes(other));
        conditions.push({ all: others.map((other) => ({ attribute: 'status', op: '<>', value: other })) });
      }
      const ended = isTerminal(status);
      const progress =
        ended && patch.progress === undefined ? (await store.get(jobId))?.job.progress : patch.progress;
      const set = {
        status,
        ...(ended ? { endedAt: now() } : {}),
        ...patch,
        ...(progress ? { progress } : {}),
        ...(closedBy ? { closedBy } : {}),
      };
      const stored = await change(jobId, { set: plain(set) }, conditions);
      if (ended) await deactivate(stored.job.workflow, stored.job.owner, jobId);
      return stored;
    },

    async reopen(stored, { attempt, budget }) {
      const { job } = stored;
      await activate(job);
      return change(
        job.jobId,
        {
          set: plain({ status: 'QUEUED', attempt, ...(budget ? { budget } : {}) }),
          remove: ['endedAt', 'error', 'cancelRequestedAt', 'closedBy'],
        },
        [
          { attribute: 'status', op: '=', value: job.status },
          { attribute: 'attempt', op: '=', value: job.attempt },
        ],
      );
    },

    list: (query) => listJobs(records, query, async (item) => (await withProgress(readJob(item))).job),

    async events(jobId, { limit = 100, after } = {}) {
      const page = await records.query({
        pk: jobPk(jobId),
        sk: after === undefined ? { prefix: EVENT } : { between: [`${after}~`, `${EVENT}~`] },
        limit,
      });
      const last = page.items.at(-1)?.sk;
      return { items: page.items.map(readEvent), ...(last === undefined ? {} : { next: last }) };
    },

    async requestCancel(jobId) {
      try {
        return await change(jobId, { set: { cancelRequestedAt: now() } }, [notEnded]);
      } catch (error) {
        if (!isError(error, 'Conflict')) throw error;
        throw conflict(`The job ${jobId} has ended: there is nothing to cancel.`, { cause: error });
      }
    },

    async cancelRequested(jobId) {
      return (await facts(jobId))?.cancelRequested ?? false;
    },

    async addChild(jobId, childId) {
      const ttl = await ttlOf(jobId);
      await records.put({ pk: jobPk(jobId), sk: childSk(childId), attributes: { jobId: childId }, ...ttl });
    },

    async children(jobId) {
      const found = await allItems(records, { pk: jobPk(jobId), sk: { prefix: childSk('') } });
      return found.map(({ attributes }) => String(attributes.jobId));
    },

    async stage(jobId, stage, total) {
      const ttl = await ttlOf(jobId);
      await records.put({
        pk: jobPk(jobId),
        sk: stageSk(stage),
        attributes: { total, startedAt: now() },
        ...ttl,
      });
      const known = await read(jobId);
      if (!known) return;
      const { progress } = known.job;
      if (progress.stage === stage && progress.total === total) return;
      await change(jobId, { set: { progress: { stage, done: 0, total } } });
      if (progress.stage !== stage)
        await event(jobId, { level: 'info', stage, message: `${stage} began.`, data: { total } });
    },

    async advance(jobId, stage, shard, done) {
      // Put, not added: the same shard counts once, and a shard that is redone counts as it came out last.
      const ttl = await ttlOf(jobId);
      await records.put({ pk: jobPk(jobId), sk: shardSk(stage, shard), attributes: { done }, ...ttl });
    },

    async done(jobId, task, key) {
      const item = await records.get({ pk: jobPk(jobId), sk: doneSk(task, key) });
      return item && { output: JSON.parse(String(item.attributes.output)) as Json };
    },

    async markDone(jobId, task, key, output) {
      const ttl = await ttlOf(jobId);
      const attributes = { output: JSON.stringify(output), doneAt: now() };
      try {
        await records.put(
          { pk: jobPk(jobId), sk: doneSk(task, key), attributes, ...ttl },
          { ifAbsent: true },
        );
        return output;
      } catch (error) {
        if (!isError(error, 'Conflict')) throw error;
        return (await store.done(jobId, task, key))?.output ?? output;
      }
    },

    async active(workflow, owner) {
      const sk = { prefix: owner === undefined ? 'ACTIVE#' : `ACTIVE#${owner}#` };
      return (await allItems(records, { pk: activePk(workflow), sk })).flatMap(activeOf);
    },
  };
  return store;
}

const plain = (patch: object): Record<string, Json> =>
  JSON.parse(JSON.stringify(patch)) as Record<string, Json>;

function activeOf(item: RecordItem): { jobId: string; owner: string; since: string }[] {
  const { jobId, owner, since } = item.attributes;
  if (typeof jobId !== 'string' || typeof owner !== 'string' || typeof since !== 'string') return [];
  return workflowOfJob(jobId) === undefined ? [] : [{ jobId, owner, since }];
}
