import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closeAnalyser } from '#functions/tool-library/python/analyser.ts';
import { closeSandboxes } from '#functions/tool-library/sandbox.ts';
import { catalog, openPlatform, type Platform, type RunOptions } from '#local/platform.ts';
import { executionArn } from '#local/states/index.ts';
import { readJson, readJsonl } from '#shared/storage/jsonl.ts';
import type { HistoryEvent, Json } from '#shared/storage/ports.ts';
import { refIfAny } from '#shared/storage/refs.ts';
import { executionName } from '#shared/task/envelope.ts';
import { jobControl } from '#shared/task/job-control.ts';
import type { Job } from '#shared/task/jobs.ts';
import { stubModels } from '#test/support/chat-server.ts';
import { chatStub, type ChatAnswer, type ChatCall, type ChatStub } from './chat-stub.ts';

/** The embedded platform, with an OpenAI-compatible server where a model is asked. */
export interface LibraryPlatform {
  platform: Platform;
  stub: ChatStub;
  /** What the server says from now on. */
  answer(reply: (call: ChatCall) => ChatAnswer | Promise<ChatAnswer>): void;
  run(input: Record<string, unknown>, options?: RunOptions): Promise<Job>;
  /** Goes on with a job that ended early, to its next end. */
  resume(job: Job, budget?: { usd: number }): Promise<Job>;
  /** Stores rows as an artifact, and gives its key. */
  put(name: string, rows: readonly Json[]): Promise<string>;
  rows<T>(key: string): Promise<T[]>;
  json(key: string): Promise<Json>;
  has(key: string): Promise<boolean>;
  /** What of a job's manifest does not depend on the run. */
  content(job: Job): Promise<Record<string, Json>>;
  history(executionArn: string): Promise<HistoryEvent[]>;
  close(): Promise<void>;
}

export async function openLibraryPlatform(): Promise<LibraryPlatform> {
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-e2e-'));
  let reply: (call: ChatCall) => ChatAnswer | Promise<ChatAnswer> = () => '{}';
  const stub = await chatStub((call) => reply(call));
  const models = join(dir, 'models.json');
  await writeFile(models, stubModels(stub.url, { contextTokens: 65_536, maxOutputTokens: 16_384 }));
  const platform = await openPlatform({ dataDir: join(dir, 'data'), env: { AGENTMILL_MODELS: models } });
  const { artifacts } = platform.runtime;
  return {
    platform,
    stub,
    answer(next) {
      reply = next;
    },
    run: (input, options = {}) => platform.run('tool-library', input as Json, options),
    async resume({ jobId }, budget) {
      const { attempt } = await jobControl(platform.runtime, catalog).resume(jobId, { budget });
      const name = executionName(jobId, attempt);
      await platform.engine.wait(executionArn('tool-library', name));
      return platform.settled(jobId);
    },
    async json(key) {
      return (await readJson(artifacts, key)) as Json;
    },
    async has(key) {
      return (await refIfAny(artifacts, key)) !== undefined;
    },
    async put(name, rows) {
      await artifacts.put(`in/${name}.jsonl`, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
      return `in/${name}.jsonl`;
    },
    async rows<T>(key: string) {
      const rows: T[] = [];
      for await (const { value } of readJsonl(artifacts, key)) rows.push(value as T);
      return rows;
    },
    async content({ jobId }) {
      const manifest = await readJson(artifacts, `jobs/${jobId}/output/manifest.json`);
      return (manifest as { content: Record<string, Json> }).content;
    },
    async history(arn) {
      const events: HistoryEvent[] = [];
      let cursor: string | undefined;
      do {
        const page = await platform.runtime.workflows.history(arn, {
          limit: 1000,
          ...(cursor === undefined ? {} : { cursor }),
        });
        events.push(...page.events);
        cursor = page.cursor;
      } while (cursor !== undefined);
      return events;
    },
    async close() {
      await platform.close();
      await stub.close();
      await Promise.all([closeSandboxes(), closeAnalyser()]);
      await rm(dir, { recursive: true, force: true });
    },
  };
}
