import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join, matchesGlob, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { ReadableStream as WebStream } from 'node:stream/web';
import { isTerminal } from '#shared/task/jobs.ts';
import { withConnection, type CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { describeCounts } from '../follow.ts';
import { followToEnd, workflowNamed } from '../jobs-flow.ts';
import { count, dollars, safeText, table } from '../output.ts';

/** `agentmill jobs`. */
export async function listJobs(
  context: CommandContext,
  options: { workflow?: string; status?: string; limit?: string },
): Promise<number> {
  if (options.workflow) workflowNamed(options.workflow);
  return withConnection(context, { work: false }, async ({ client }) => {
    const limit = options.limit ?? '25';
    if (!/^\d+$/.test(limit) || Number(limit) < 1)
      throw new CliError(EXIT.usage, `--limit ${limit}: give a number from 1.`);
    const items = [];
    let cursor: string | undefined;
    do {
      const page = await client.jobs({
        workflow: options.workflow,
        status: options.status,
        limit: String(Math.min(100, Number(limit) - items.length)),
        cursor,
      });
      items.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor && items.length < Number(limit));
    if (context.output.json) context.output.result(items);
    else if (items.length === 0) context.output.print('No jobs.');
    else {
      context.output.print(
        table([
          ['JOB', 'STATUS', 'STAGE', 'COST', 'CREATED'],
          ...items.map((job) => [
            job.jobId,
            job.status,
            job.progress.stage ? `${job.progress.stage} ${job.progress.done}/${job.progress.total}` : '',
            dollars(job.cost.microUsd),
            job.createdAt,
          ]),
        ]),
      );
    }
    return EXIT.ok;
  });
}

/** `agentmill job <id>`. */
export async function showJob(
  context: CommandContext,
  jobId: string,
  options: { watch?: boolean; strict?: boolean },
): Promise<number> {
  // Watching a job of a stopped platform moves it on: somebody wants to see its end.
  return withConnection(context, { work: options.watch ?? false }, async (connection) => {
    if (options.watch) return followToEnd(context, connection, jobId, options);
    const job = await connection.client.job(jobId);
    if (context.output.json) context.output.result(job);
    else {
      const rows = [
        ['job', job.jobId],
        ['workflow', job.workflow],
        ['status', job.status],
        ['stage', `${job.progress.stage} ${count(job.progress.done)}/${count(job.progress.total)}`],
        ['counts', describeCounts(job)],
        ['attempt', String(job.attempt)],
        ['created', job.createdAt],
        ['started', job.startedAt ?? '-'],
        ['ended', job.endedAt ?? '-'],
      ];
      if (job.error) rows.push(['error', safeText(`${job.error.title}: ${job.error.detail}`)]);
      context.output.print(table(rows));
    }
    return EXIT.ok;
  });
}

/** `agentmill logs <id>`. */
export async function showLogs(
  context: CommandContext,
  jobId: string,
  options: { follow?: boolean; raw?: boolean },
): Promise<number> {
  return withConnection(context, { work: options.follow ?? false }, async (connection) => {
    if (options.raw) {
      const lines = connection.taskLog(jobId);
      if (!lines) {
        throw new CliError(EXIT.usage, '--raw reads the task logs of an embedded platform.', [
          'On AWS the task logs are in CloudWatch under /agentmill/<stage>/<workflow>/<task>.',
        ]);
      }
      await connection.client.job(jobId);
      for await (const line of lines) process.stdout.write(`${safeText(line)}\n`);
      return EXIT.ok;
    }
    let cursor: string | undefined;
    let last = '';
    let end: { at: string; patience: number } | undefined;
    for (;;) {
      const page = await connection.client.events(jobId, cursor);
      for (const event of page.items) {
        last = event.time;
        if (context.output.json) context.output.result(event);
        else {
          context.output.print(
            `${event.time} ${event.level.padEnd(5)} ${event.stage ? `${event.stage}: ` : ''}${safeText(event.message)}`,
          );
        }
      }
      cursor = page.nextCursor ?? cursor;
      if (page.nextCursor && page.items.length > 0) continue;
      if (!options.follow || context.interrupted.aborted) return EXIT.ok;
      // The event of a job's end is written just after its status: it is waited for, though not for ever.
      if (end && (last >= end.at || end.patience-- === 0)) return EXIT.ok;
      const job = await connection.client.job(jobId);
      if (isTerminal(job.status)) end ??= { at: job.endedAt ?? '', patience: 50 };
      await delay(end ? 100 : 500);
    }
  });
}

/** `agentmill cancel <id>`. */
export async function cancelJob(context: CommandContext, jobId: string): Promise<number> {
  return withConnection(context, { work: true }, async ({ client }) => {
    let job = await client.cancel(jobId);
    // The flag is set; the job closes as soon as its running tasks see it.
    // Where they do not within ten seconds, asking again stops its execution outright.
    for (let i = 1; i <= 150 && !isTerminal(job.status); i++) {
      await delay(200);
      job = i === 55 ? await client.cancel(jobId).catch(() => client.job(jobId)) : await client.job(jobId);
    }
    if (!isTerminal(job.status)) context.output.note(`${jobId} was asked to stop and has not ended yet.`);
    if (context.output.json) context.output.result(job);
    else context.output.print(`${job.status}  ${jobId}`);
    return EXIT.ok;
  });
}

/** `agentmill outputs <id>`: lists, or downloads with every hash verified. */
export async function jobOutputs(
  context: CommandContext,
  jobId: string,
  options: { to?: string; only?: string },
): Promise<number> {
  return withConnection(context, { work: false }, async (connection) => {
    const { items } = await connection.client.outputs(jobId);
    const prefix = `jobs/${jobId}/output/`;
    const named = items
      .map((item) => ({
        ...item,
        name: item.key.startsWith(prefix) ? item.key.slice(prefix.length) : item.key,
      }))
      .filter((item) => !options.only || matchesGlob(item.name, options.only));
    if (options.only && items.length > 0 && named.length === 0) {
      throw new CliError(EXIT.notFound, `No file of ${jobId} matches --only ${options.only}.`, [
        `Names are below output/: ${items
          .slice(0, 5)
          .map(({ key }) => key.slice(prefix.length))
          .join(', ')}${items.length > 5 ? ' ...' : ''}`,
      ]);
    }
    if (!options.to) {
      if (context.output.json) {
        context.output.result(
          named.map(({ key, bytes, sha256 }) => ({ path: connection.locate(key), key, bytes, sha256 })),
        );
      } else if (named.length === 0) context.output.note(`${jobId} has written no files yet.`);
      else
        context.output.print(
          table(named.map((item) => [count(item.bytes).padStart(12), connection.locate(item.key)])),
        );
      return EXIT.ok;
    }
    const folder = resolve(options.to);
    const paths: string[] = [];
    for (const item of named) {
      const path = resolve(folder, item.name);
      // Names come from the platform; none may lead out of the chosen folder.
      if (!path.startsWith(join(folder, '/')))
        throw new CliError(EXIT.failed, `The output "${item.name}" names a path outside ${folder}.`);
      await download(new URL(item.url, `${connection.client.baseUrl}/`), path, item.sha256);
      paths.push(path);
      context.output.note(`${count(item.bytes).padStart(12)}  ${path}`);
    }
    if (context.output.json) context.output.result(paths);
    return EXIT.ok;
  });
}

async function download(url: URL, path: string, sha256: string | undefined): Promise<void> {
  const response = await fetch(url);
  if (!response.ok || !response.body)
    throw new CliError(EXIT.failed, `${path}: the download was answered ${response.status}.`);
  await mkdir(dirname(path), { recursive: true }).catch((error: Error) => {
    throw new CliError(EXIT.usage, `--to: ${error.message}`);
  });
  const partial = `${path}.part`;
  const hash = createHash('sha256');
  await pipeline(
    Readable.fromWeb(response.body as WebStream),
    async function* (source: AsyncIterable<Buffer>) {
      for await (const chunk of source) {
        hash.update(chunk);
        yield chunk;
      }
    },
    createWriteStream(partial),
  );
  const digest = hash.digest('hex');
  if (sha256 && digest !== sha256) {
    await rm(partial, { force: true });
    throw new CliError(
      EXIT.failed,
      `${path}: the download's SHA-256 is ${digest}, not ${sha256}; nothing was kept.`,
    );
  }
  await rename(partial, path);
}
