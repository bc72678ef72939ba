import { systemClock, type Clock } from '#shared/determinism/clock.ts';
import { isTerminal, type Job } from '#shared/task/jobs.ts';
import type { ApiClient } from './client.ts';
import { count, dollars, duration, safeText, type Output } from './output.ts';

const POLL_MS = 300;
/** Between plain progress lines where stderr is no terminal. */
const PLAIN_MS = 10_000;

/** Where following begins: what a job said before is not shown again. */
export interface FollowPoint {
  job: Job;
  cursor: string | undefined;
}

/** The end of what a job has said so far. */
export async function followPoint(client: ApiClient, job: Job): Promise<FollowPoint> {
  let cursor: string | undefined;
  for (;;) {
    const page = await client.events(job.jobId, cursor);
    if (page.items.length === 0 || page.nextCursor === undefined)
      return { job, cursor: page.nextCursor ?? cursor };
    cursor = page.nextCursor;
  }
}

/** Shows a job as it runs; resolves with its last state, or undefined when `stop` aborts first. */
export async function followJob(
  client: ApiClient,
  jobId: string,
  output: Output,
  options: {
    stages: Record<string, string>;
    stop: AbortSignal;
    since?: FollowPoint | undefined;
    /** Aborts when the platform of this process cannot go on: its reason is thrown. */
    failed?: AbortSignal | undefined;
    clock?: Clock;
  },
): Promise<Job | undefined> {
  const { since, clock = systemClock } = options;
  const view = new ProgressView(output, options.stages, clock, since?.job);
  let cursor = since?.cursor;
  for (;;) {
    if (options.stop.aborted) {
      output.clearStatus();
      return undefined;
    }
    if (options.failed?.aborted) {
      output.clearStatus();
      throw options.failed.reason;
    }
    const job = await client.job(jobId);
    const events = await client.events(jobId, cursor);
    cursor = events.nextCursor ?? cursor;
    for (const event of events.items) {
      if (event.level !== 'info') output.note(`${event.level}: ${safeText(event.message)}`);
    }
    view.show(job);
    if (isTerminal(job.status)) {
      output.clearStatus();
      return job;
    }
    await clock.sleep(POLL_MS, options.stop).catch(() => {});
  }
}

/** A stage bar on a terminal; elsewhere a line at stage changes and every ten seconds. */
class ProgressView {
  readonly #output: Output;
  readonly #stages: string[];
  readonly #units: Record<string, string>;
  readonly #before: string | undefined;
  readonly #clock: Clock;
  #stage = '';
  #stageStart: number;
  /** What was done already when the stage was first seen: rates count from there. */
  #doneBefore = 0;
  #lastPlain = 0;

  /** @param before the job as an earlier attempt left it: its counts are no progress of this one. */
  constructor(output: Output, stages: Record<string, string>, clock: Clock, before: Job | undefined) {
    this.#clock = clock;
    this.#stageStart = clock.now();
    this.#before = before && JSON.stringify(before.yields);
    this.#output = output;
    this.#stages = Object.keys(stages);
    this.#units = stages;
  }

  show(seen: Job): void {
    const old = !isTerminal(seen.status) && this.#before === JSON.stringify(seen.yields);
    const job = old ? { ...seen, yields: {} } : seen;
    // A job that waits for its next attempt still names the stage of the last.
    const { stage, done, total } = job.status === 'QUEUED' ? { stage: '', done: 0, total: 0 } : job.progress;
    const now = this.#clock.now();
    const changed = stage !== this.#stage;
    if (changed) {
      this.#stage = stage;
      this.#stageStart = now;
      this.#doneBefore = done;
    }
    const counts = describeCounts(job);
    const position = this.#stages.includes(stage)
      ? `[${this.#stages.indexOf(stage) + 1}/${this.#stages.length}] `
      : '';
    const progress = total > 0 ? `${count(done)}/${count(total)} ${this.#units[stage] ?? ''}`.trimEnd() : '';
    if (this.#output.live) {
      const seconds = (now - this.#stageStart) / 1000;
      // Of the first second no rate is said: it would be about polling, not about the work.
      const rate = seconds >= 1 ? (done - this.#doneBefore) / seconds : 0;
      const left = rate > 0 && total > done ? `, ${duration(((total - done) / rate) * 1000)} left` : '';
      this.#output.status([
        `${position}${stage || job.status.toLowerCase()} ${bar(done, total)} ${progress}${rate > 0 ? ` (${perTime(rate)}${left})` : ''}`,
        `      ${counts}`,
      ]);
    } else if (changed || now - this.#lastPlain >= PLAIN_MS) {
      this.#lastPlain = now;
      if (stage) this.#output.note([`${position}${stage}`, progress, counts].filter(Boolean).join('  '));
    }
  }
}

/** `12/s`, or `40/min` where that says more. */
const perTime = (perSecond: number): string =>
  perSecond >= 1 ? `${perSecond.toFixed(0)}/s` : `${(perSecond * 60).toFixed(1)}/min`;

function bar(done: number, total: number): string {
  const width = 24;
  const filled = total > 0 ? Math.min(width, Math.round((done / total) * width)) : 0;
  return `${'█'.repeat(filled)}${'░'.repeat(width - filled)}`;
}

/** `1,204 documents · 880 accepted · 312 rejected · $0.0012 of $2.00 · builtin`. */
export function describeCounts(job: Job): string {
  const cap = job.budget?.microUsd;
  const cost = `${dollars(job.cost.microUsd)}${cap === undefined ? '' : ` of ${dollars(cap)}`}`;
  return [
    ...Object.entries(job.yields).map(([name, value]) => `${count(value)} ${name}`),
    `${count(job.cost.calls)} calls${job.cost.cacheHits ? ` (+${count(job.cost.cacheHits)} cached)` : ''}`,
    cost,
    job.model ?? 'builtin',
  ].join(' · ');
}
