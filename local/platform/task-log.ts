import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import type { WriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** One file is kept beside the current one; both together bound what logs take of the disk. */
const MAX_BYTES = 64 * 1024 * 1024;

const pathOf = (dataDir: string): string => join(dataDir, 'logs', 'tasks.jsonl');

/** The log lines that name a job, oldest first; whoever writes them, this process or another. */
export async function* taskLogOf(dataDir: string, jobId: string): AsyncIterable<string> {
  const path = pathOf(dataDir);
  for (const part of [`${path}.1`, path]) {
    if (!existsSync(part)) continue;
    for await (const line of createInterface({ input: createReadStream(part), crlfDelay: Infinity })) {
      if (line.includes(jobId)) yield line;
    }
  }
}

/** The structured log lines of tasks, kept in `logs/` of the data directory as CloudWatch keeps them on AWS. */
export class TaskLog {
  readonly #path: string;
  #stream: WriteStream;
  #bytes: number;

  constructor(dataDir: string) {
    mkdirSync(join(dataDir, 'logs'), { recursive: true });
    this.#path = pathOf(dataDir);
    this.#bytes = existsSync(this.#path) ? statSync(this.#path).size : 0;
    this.#stream = this.#open();
  }

  #open(): WriteStream {
    const stream = createWriteStream(this.#path, { flags: 'a' });
    // Logs are worth less than the work: a full disk shows in the work's own writes.
    stream.on('error', () => {});
    return stream;
  }

  write(line: string): void {
    if (this.#bytes > MAX_BYTES) {
      this.#stream.end();
      renameSync(this.#path, `${this.#path}.1`);
      this.#stream = this.#open();
      this.#bytes = 0;
    }
    this.#bytes += line.length + 1;
    this.#stream.write(`${line}\n`);
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#stream.end(resolve));
  }
}
