import { readFileSync } from 'node:fs';
import { catalog } from '#local/platform.ts';
import type { Json } from '#shared/storage/ports.ts';
import { isTerminal, type Job } from '#shared/task/jobs.ts';
import { directoryFault, type Connection } from './connect.ts';
import { withConnection, type CommandContext } from './context.ts';
import { CliError, EXIT, exitCodeOf } from './exit.ts';
import { followJob, followPoint, type FollowPoint } from './follow.ts';
import { applySet, mergeInput, readInput, uploadLocalFiles, whyUnreadable } from './input.ts';
import { printSummary, summarise, type JobSummary } from './summary.ts';

/** The options of `run`, which `demo` uses too. */
export interface RunOptions {
  input?: string;
  file?: string[];
  set?: string[];
  budget?: string;
  model?: string;
  key?: string;
  detach?: boolean;
  strict?: boolean;
  cancelOnInterrupt?: boolean;
}

/** The catalog entry of a workflow. @throws CliError naming the workflows there are. */
export function workflowNamed(name: string): (typeof catalog)[number] {
  const entry = catalog.find((candidate) => candidate.name === name);
  if (!entry) {
    throw new CliError(EXIT.usage, `There is no workflow "${name}".`, [
      `Workflows: ${catalog.map((candidate) => candidate.name).join(', ')}`,
    ]);
  }
  return entry;
}

/** Parses `--budget 2.50` (US dollars). */
export function parseBudget(text: string | undefined): { usd: number } | undefined {
  if (text === undefined) return undefined;
  const digits = text.trim().replace(/^\$/, '');
  const usd = Number(digits);
  if (digits === '' || !Number.isFinite(usd) || usd < 0) {
    throw new CliError(EXIT.usage, `--budget ${text}: give US dollars, such as 2.50.`);
  }
  return { usd };
}

/** Makes the job's input from `--input`, `--file` and `--set`, uploading what is local. */
async function buildInput(connection: Connection, workflow: string, options: RunOptions): Promise<Json> {
  const entry = workflowNamed(workflow);
  let input: { [key: string]: Json } = options.input
    ? readInput(options.input, () => readFileSync(0, 'utf8'))
    : {};
  for (const assignment of options.set ?? []) applySet(input, assignment);
  const refs = new Map<string, Awaited<ReturnType<Connection['client']['upload']>>>();
  const upload = async (path: string): Promise<string> => {
    const ref = await connection.client.upload(workflow, path, options.key);
    refs.set(path, ref);
    return ref.key;
  };
  const folder = (paths: string[]): Promise<string> =>
    connection.client.uploadFolder(workflow, paths, options.key);
  input = await uploadLocalFiles(input, { file: upload, folder }, process.cwd());
  for (const file of options.file ?? []) {
    const toInput = entry.triggers.s3?.toInput;
    if (!toInput) throw new CliError(EXIT.usage, `${workflow} takes no --file; give its input with --input.`);
    const before = refs.size;
    try {
      await upload(file);
    } catch (error) {
      if (error instanceof CliError || !(error as NodeJS.ErrnoException).code) throw error;
      throw new CliError(EXIT.usage, `--file ${file}: ${whyUnreadable(error)}`);
    }
    const ref = [...refs.values()][before]!;
    const fromFile = toInput({
      bucket: ref.bucket ?? '',
      key: ref.key,
      bytes: ref.bytes,
      sha256: ref.sha256,
    });
    input = mergeInput(fromFile, mergeLists(fromFile, input)) as { [key: string]: Json };
  }
  return input;
}

/** Lists that both a file's input and the given input have are joined, so that `--file a --file b` means both. */
function mergeLists(fromFile: Json, input: { [key: string]: Json }): { [key: string]: Json } {
  if (typeof fromFile !== 'object' || fromFile === null || Array.isArray(fromFile)) return input;
  return Object.fromEntries(
    Object.entries(input).map(([key, value]) => {
      const other = fromFile[key];
      return [key, Array.isArray(value) && Array.isArray(other) ? [...value, ...other] : value];
    }),
  );
}

/** Starts a job and, unless detached, follows it to its end. Returns the exit code. */
export async function runJob(
  context: CommandContext,
  workflow: string,
  options: RunOptions,
): Promise<number> {
  workflowNamed(workflow);
  const budget = parseBudget(options.budget);
  return withConnection(context, { work: true }, async (connection) => {
    const { client } = connection;
    if (options.detach && connection.mode === 'embedded') {
      throw new CliError(
        EXIT.usage,
        '--detach needs a platform that stays: start `agentmill up` first, or give --endpoint.',
      );
    }
    const input = await buildInput(connection, workflow, options);
    const model = options.model ?? context.settings.model.value;
    const job = await client
      .createJob({
        workflow,
        input,
        ...(budget ? { budget } : {}),
        ...(model ? { model } : {}),
        ...(options.key ? { idempotencyKey: options.key } : {}),
      })
      .catch((error: unknown) => {
        throw withHint(error, workflow, options);
      });
    context.output.note(`Job ${job.jobId} (${connection.mode}).`);
    if (options.detach) {
      context.output.print(job.jobId);
      if (context.output.json) context.output.result(job);
      return EXIT.ok;
    }
    return followToEnd(context, connection, job.jobId, options);
  });
}

/** What to give, and where to look up what an input may hold, under the fields that are wrong. */
function withHint(error: unknown, workflow: string, options: RunOptions): unknown {
  const fields = error instanceof CliError && error.details.some((line) => line.startsWith('#/input'));
  if (!fields) return error;
  const takesFile = !options.file?.length && workflowNamed(workflow).triggers.s3 !== undefined;
  const hints = [
    ...(takesFile ? ['Give a file with --file, or fields with --set and --input.'] : []),
    `agentmill workflows ${workflow} shows examples of its input, with --json its schema.`,
  ];
  return new CliError(error.exitCode, error.message, [...error.details, ...hints]);
}

/** Follows a job, prints its summary and gives the exit code; the first Ctrl-C leaves it resumable. */
export async function followToEnd(
  context: CommandContext,
  connection: Connection,
  jobId: string,
  options: { strict?: boolean; cancelOnInterrupt?: boolean; since?: FollowPoint | undefined },
): Promise<number> {
  const { client } = connection;
  const { output } = context;
  const workflow = jobId.split('.')[0]!;
  const stages = catalog.find((entry) => entry.name === workflow)?.stages ?? {};
  const job = await followJob(client, jobId, output, {
    stages,
    stop: context.interrupted,
    since: options.since,
    failed: connection.platform?.failed,
  }).catch((error: unknown) => {
    const { platform } = connection;
    const advice = `Make it usable, then go on with: agentmill resume ${jobId}`;
    throw (platform?.failed.aborted && directoryFault(error, platform.dataDir, advice)) || error;
  });
  if (!job) {
    if (options.cancelOnInterrupt) {
      await client.cancel(jobId);
      output.note(`Cancelling ${jobId}.`);
    } else if (connection.mode === 'embedded') {
      output.note('Stopping: running calls may finish; press Ctrl-C again to exit at once.');
      await connection.platform?.drain(10_000);
      output.note(`Stopped. Go on with: agentmill resume ${jobId}`);
    } else {
      output.note(`Detached; ${jobId} goes on. See it with: agentmill job ${jobId} --watch`);
    }
    return EXIT.interrupted;
  }
  await connection.platform?.settled(jobId);
  const summary = await summaryOf(connection, job);
  if (output.json) output.result(summary);
  else printSummary(summary, job, output);
  return exitCodeOf(job.status, options.strict ?? false);
}

async function summaryOf(connection: Connection, job: Job): Promise<JobSummary> {
  let outputs;
  try {
    outputs = await connection.client.outputs(job.jobId);
  } catch (error) {
    // A job that failed before writing anything has no outputs to list.
    if (!(error instanceof CliError && error.exitCode === EXIT.notFound)) throw error;
  }
  return summarise(job, outputs, (key) => connection.locate(key));
}

/** Continues a stopped job. A job that a killed process left running goes on by itself once its platform is open. */
export async function resumeJob(
  context: CommandContext,
  jobId: string,
  options: { budget?: string; strict?: boolean; detach?: boolean },
): Promise<number> {
  const budget = parseBudget(options.budget);
  return withConnection(context, { work: true }, async (connection) => {
    const before = await connection.client.job(jobId);
    const since = isTerminal(before.status) ? await followPoint(connection.client, before) : undefined;
    if (since) {
      await connection.client.resume(jobId, budget);
    } else if (budget) {
      throw new CliError(
        EXIT.usage,
        `${jobId} is ${before.status}: a budget can be raised once it has stopped.`,
      );
    }
    if (options.detach && connection.mode !== 'embedded') {
      context.output.print(jobId);
      return EXIT.ok;
    }
    return followToEnd(context, connection, jobId, { ...options, since });
  });
}
