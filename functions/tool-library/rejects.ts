import type { TaskContext } from '#shared/task/context.ts';
import { rows } from './io.ts';
import { NOTE_CODES, type Reject } from './records.ts';

/** What went no further, over all stages of a job: `jobs/<jobId>/rejects/`. */

/** Rejects and notes, in the order of their files. */
export async function* allRejects(
  { artifacts }: Pick<TaskContext, 'artifacts'>,
  jobId: string,
): AsyncGenerator<Reject> {
  let after: string | undefined;
  do {
    const page = await artifacts.list({
      prefix: `jobs/${jobId}/rejects/`,
      ...(after === undefined ? {} : { after }),
    });
    for (const { key } of page.objects) yield* rows<Reject>(artifacts, key);
    after = page.next;
  } while (after !== undefined);
}

const NOTES: ReadonlySet<string> = new Set(NOTE_CODES);

/** How many there are of each code, by code; how many of them are rejects and no notes on tools that stay. */
export class Histogram {
  readonly #counts = new Map<string, number>();

  add({ code }: Reject): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
  }

  get counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  get rejected(): number {
    let sum = 0;
    for (const [code, count] of this.#counts) if (!NOTES.has(code)) sum += count;
    return sum;
  }
}
