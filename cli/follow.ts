import { setTimeout as delay } from 'node:timers/promises';
import { isTerminal, type Job } from '#shared/task/jobs.ts';
import type { ApiClient } from './client.ts';
import { count, dollars, duration, safeText, type Output } from './output.ts';

const POLL_MS = 300;
/** Between plain progress lines where stderr is no terminal. */
const PLAIN_MS = 10_000;

/** Shows a job as it runs; resolves with its last state, or undefined when `stop` aborts first. */
export async function followJob(
  client: ApiClient,
  jobId: string,
  output: Output,
  options: { stages: Record<string, string>; stop: AbortSignal },
): Promise<Job | undefined> {
  const view = new ProgressView(output, options.stages);
  let cursor: string | undefined;
  for (;;) {
    if (options.stop.aborted) {
      output.clearStatus();
      return undefined;
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
    await delay(POLL_MS, undefined, { signal: options.stop }).catch(() => {});
  }
}

/** A stage bar on a terminal; elsewhere a line at stage changes and every ten seconds. */
class ProgressView {
  readonly #output: Output;
  readonly #stages: string[];
  readonly #units: Record<string, string>;
  #stage = '';
  #stageStart = Date.now();
  #lastPlain = 0;

  constructor(output: Output, stages: Record<string, string>) {
    this.#output = output;
    this.#stages = Object.keys(stages);
    this.#units = stages;
  }

  show(job: Job): void {
    const { stage, done, total } = job.progress;
    const now = Date.now();
    const changed = stage !== this.#stage;
    if (changed) {
      this.#stage = stage;
      this.#stageStart = now;
    }
    const counts = describeCounts(job);
    const position = this.#stages.includes(stage)
      ? `[${this.#stages.indexOf(stage) + 1}/${this.#stages.length}] `
      : '';
    const progress = total > 0 ? `${count(done)}/${count(total)} ${this.#units[stage] ?? ''}`.trimEnd() : '';
    if (this.#output.live) {
      const seconds = Math.max(0.001, (now - this.#stageStart) / 1000);
      const rate = done / seconds;
      const left = rate > 0 && total > done ? `, ${duration(((total - done) / rate) * 1000)} left` : '';
      this.#output.status([
        `${position}${stage || job.status.toLowerCase()} ${bar(done, total)} ${progress}${rate > 0 ? ` (${rate.toFixed(0)}/s${left})` : ''}`,
        `      ${counts}`,
      ]);
    } else if (changed || now - this.#lastPlain >= PLAIN_MS) {
      this.#lastPlain = now;
      if (stage) this.#output.note([`${position}${stage}`, progress, counts].filter(Boolean).join('  '));
    }
  }
}

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
