import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import type { WriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** One file is kept beside the current one; both together bound what logs take of the disk. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The structured log lines of tasks, kept in `logs/` of the data directory as CloudWatch keeps them on AWS. */
export class TaskLog {
  readonly #path: string;
  #stream: WriteStream;
  #bytes: number;

  constructor(dataDir: string) {
    mkdirSync(join(dataDir, 'logs'), { recursive: true });
    this.#path = join(dataDir, 'logs', 'tasks.jsonl');
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

  /** The lines that name a job, oldest first. */
  async *of(jobId: string): AsyncIterable<string> {
    for (const path of [`${this.#path}.1`, this.#path]) {
      if (!existsSync(path)) continue;
      for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
        if (line.includes(jobId)) yield line;
      }
    }
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#stream.end(resolve));
  }
}
