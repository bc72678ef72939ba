import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import type { Job, JobEvent, Problem } from '#shared/task/jobs.ts';
import { CliError, EXIT } from './exit.ts';

/** Adds authorisation to a request: nothing on loopback, a bearer token or SigV4 remotely. */
export type Authorise = (request: {
  method: string;
  url: URL;
  headers: Record<string, string>;
  body: string | undefined;
}) => Promise<Record<string, string>>;

export interface Outputs {
  manifest?: Record<string, unknown>;
  items: { key: string; bytes: number; sha256?: string; url: string }[];
}

/** Where a platform answers and how it is asked. */
export interface Target {
  url: string;
  authorise: Authorise;
}

interface RequestOptions {
  query?: Record<string, string | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  /** The answer is no JSON: it is given as text, the empty one too. */
  asText?: boolean;
}

/** The HTTP API of infra-api-cli section 7, as the commands use it; the same for the embedded platform and AWS. */
export class ApiClient {
  #target: Target;
  readonly #elsewhere: (() => Promise<Target | undefined>) | undefined;

  /** @param elsewhere where to go on when the platform has gone, such as with the process that served it. */
  constructor(target: Target, elsewhere?: () => Promise<Target | undefined>) {
    this.#target = target;
    this.#elsewhere = elsewhere;
  }

  get baseUrl(): string {
    return this.#target.url.replace(/\/$/, '');
  }

  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    // A platform that is closing may still be found once or twice.
    for (let again = 5; ; again -= 1) {
      try {
        return await this.#request(method, path, options);
      } catch (error) {
        // What never arrived, or only reads, may be asked again.
        const harmless = error instanceof Unreachable && (error.refused || method === 'GET');
        const target = harmless && again > 0 ? await this.#elsewhere?.() : undefined;
        if (!target) throw error;
        this.#target = target;
        await delay(100);
      }
    }
  }

  async #request<T>(method: string, path: string, options: RequestOptions): Promise<T> {
    const url = new URL(this.baseUrl + path);
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const headers: Record<string, string> = { accept: 'application/json', ...options.headers };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const signed = await this.#target.authorise({ method, url, headers, body });
    const { response, text } = await send(url, {
      method,
      headers: signed,
      ...(body === undefined ? {} : { body }),
    });
    if (options.asText && response.ok) return text as T;
    let parsed: unknown;
    try {
      parsed = text === '' ? undefined : JSON.parse(text);
    } catch {
      throw new CliError(
        EXIT.unreachable,
        `${method} ${url.pathname} answered ${response.status} with no JSON.`,
      );
    }
    if (!response.ok) throw problemError(response.status, parsed);
    return parsed as T;
  }

  createJob(body: Record<string, unknown>): Promise<Job> {
    return this.request('POST', '/v1/jobs', { body });
  }

  job(jobId: string): Promise<Job> {
    return this.#ofJob('GET', jobId, '');
  }

  /** Asks about one job; a job that is not there is named. */
  async #ofJob<T>(
    method: string,
    jobId: string,
    path: string,
    options: Parameters<ApiClient['request']>[2] = {},
  ): Promise<T> {
    try {
      return await this.request(method, `/v1/jobs/${encodeURIComponent(jobId)}${path}`, options);
    } catch (error) {
      if (!(error instanceof CliError) || error.exitCode !== EXIT.notFound) throw error;
      throw new CliError(EXIT.notFound, `There is no job "${jobId}".`, [
        'agentmill jobs lists those there are.',
      ]);
    }
  }

  jobs(query: Record<string, string | undefined>): Promise<{ items: Job[]; nextCursor?: string }> {
    return this.request('GET', '/v1/jobs', { query });
  }

  events(jobId: string, cursor?: string): Promise<{ items: JobEvent[]; nextCursor?: string }> {
    return this.#ofJob('GET', jobId, '/events', { query: { cursor } });
  }

  /** Every file of a job and its manifest. */
  async outputs(jobId: string): Promise<Outputs> {
    const all: Outputs = { items: [] };
    let cursor: string | undefined;
    do {
      const page = await this.#ofJob<Outputs & { nextCursor?: string }>('GET', jobId, '/outputs', {
        query: { cursor },
      });
      if (page.manifest) all.manifest = page.manifest;
      all.items.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor);
    return all;
  }

  cancel(jobId: string): Promise<Job> {
    return this.#ofJob('POST', jobId, '/cancel', { body: {} });
  }

  resume(jobId: string, budget?: Record<string, number>): Promise<Job> {
    return this.#ofJob('POST', jobId, '/resume', { body: budget ? { budget } : {} });
  }

  /**
   * Uploads the files of one folder side by side and returns the prefix they are below.
   * @param key the job's idempotency key: with it the same files always lie below the same prefix.
   */
  async uploadFolder(workflow: string, paths: readonly string[], key?: string): Promise<string> {
    const files: LocalFile[] = [];
    for (const path of paths) files.push(await localFile(path));
    let joins: { uploadId?: string; idempotencyKey?: string } = keyOfFiles(files, key);
    let prefix = '';
    for (const file of files) {
      const { ref, uploadId } = await this.#put(workflow, file, joins);
      joins = { uploadId };
      prefix = ref.key.slice(0, ref.key.lastIndexOf('/') + 1);
    }
    return prefix;
  }

  /** Uploads a local file under the caller's uploads and returns its reference; with a key always the same one. */
  async upload(workflow: string, path: string, key?: string): Promise<ArtifactRef> {
    const file = await localFile(path);
    return (await this.#put(workflow, file, keyOfFiles([file], key))).ref;
  }

  async #put(
    workflow: string,
    { path, bytes, sha256 }: LocalFile,
    joins: { uploadId?: string; idempotencyKey?: string },
  ): Promise<{ ref: ArtifactRef; uploadId: string }> {
    const slot = await this.request<{
      uploadId: string;
      url: string;
      method: string;
      headers: Record<string, string>;
      ref: ArtifactRef;
    }>('POST', '/v1/uploads', {
      body: {
        workflow,
        filename: basename(path),
        bytes,
        sha256,
        contentType: 'application/octet-stream',
        ...joins,
      },
    });
    const response = await fetch(new URL(slot.url, `${this.baseUrl}/`), {
      method: slot.method,
      headers: { ...slot.headers, 'content-length': String(bytes) },
      body: Readable.toWeb(createReadStream(path)) as ReadableStream,
      duplex: 'half',
    } as RequestInit);
    if (!response.ok) {
      throw new CliError(
        EXIT.failed,
        `Uploading ${path} was answered ${response.status}: ${(await response.text()).slice(0, 300)}`,
      );
    }
    return slot;
  }
}

interface LocalFile {
  path: string;
  bytes: number;
  sha256: string;
}

async function localFile(path: string): Promise<LocalFile> {
  const { size } = await stat(path);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return { path, bytes: size, sha256: hash.digest('hex') };
}

/** The upload's own key: that of the job with what is uploaded, so that changed files are another upload, and the job's input another. */
function keyOfFiles(files: readonly LocalFile[], key: string | undefined): { idempotencyKey?: string } {
  if (key === undefined) return {};
  const content = files.map(({ path, sha256 }) => [basename(path), sha256]);
  return {
    idempotencyKey: createHash('sha256')
      .update(JSON.stringify([key, content]))
      .digest('hex'),
  };
}

/** No answer came. */
class Unreachable extends CliError {
  /** Nothing was sent: nobody listens. */
  readonly refused: boolean;
  constructor(url: URL, cause: Error & { code?: string }) {
    super(EXIT.unreachable, `${url.origin} cannot be reached: ${cause.message || cause.code || 'no answer'}`);
    this.refused = cause.code === 'ECONNREFUSED';
  }
}

/** Sends a request; one that only reads is sent again, up to twice, when its connection broke. */
async function send(url: URL, init: RequestInit): Promise<{ response: Response; text: string }> {
  for (let again = init.method === 'GET' ? 2 : 0; ; again -= 1) {
    try {
      const response = await fetch(url, { ...init, signal: AbortSignal.timeout(60_000) });
      return { response, text: await response.text() };
    } catch (error) {
      const cause = (error as { cause?: Error & { code?: string } }).cause ?? (error as Error);
      const broken = 'code' in cause && (cause.code === 'ECONNRESET' || cause.code === 'UND_ERR_SOCKET');
      if (broken && again > 0) continue;
      throw new Unreachable(url, cause);
    }
  }
}

/** Turns an answer that is no success into the error the user sees. Gateways answer `{message}`, handlers a problem document. */
export function problemError(status: number, body: unknown): CliError {
  const problem = (body ?? {}) as Partial<Problem> & { message?: string };
  const message = problem.detail ?? problem.title ?? problem.message ?? `The platform answered ${status}.`;
  const details = (problem.errors ?? []).map((error) => `${error.pointer}: ${error.detail}`);
  const code =
    status === 404
      ? EXIT.notFound
      : status === 401 || status === 403 || status === 503
        ? EXIT.unreachable
        : status >= 400 && status < 500 && status !== 409 && status !== 429
          ? EXIT.usage
          : EXIT.failed;
  return new CliError(code, message, details);
}
