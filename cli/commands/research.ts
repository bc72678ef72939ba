import { setTimeout as delay } from 'node:timers/promises';
import type { Report } from '#shared/research/types.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import type { Job, JobEvent, JobStatus } from '#shared/task/jobs.ts';
import type { ApiClient } from '../client.ts';
import { withConnection, type CommandContext } from '../context.ts';
import { uploadCorpus } from '../corpus.ts';
import { CliError, EXIT, exitCodeOf } from '../exit.ts';
import { parseBudget } from '../jobs-flow.ts';
import { safeText } from '../output.ts';

interface ResearchOptions {
  corpus?: string;
  entity?: string;
  index?: string;
  report?: boolean;
  steps?: string;
  budget?: string;
  model?: string;
  cancelOnInterrupt?: boolean;
}

/** A server-sent event. */
interface SentEvent {
  id: string;
  type: string;
  data: Record<string, unknown>;
}

const RECONNECT_MS = 250;

/** `agentmill research "question" --corpus <path>`: shows the steps as they happen, then the answer with its sources. */
export async function research(
  context: CommandContext,
  question: string,
  options: ResearchOptions,
): Promise<number> {
  const { output } = context;
  const budget = parseBudget(options.budget);
  const maxSteps = options.steps === undefined ? undefined : Number(options.steps);
  if (maxSteps !== undefined && !(Number.isInteger(maxSteps) && maxSteps >= 1 && maxSteps <= 400))
    throw new CliError(EXIT.usage, `--steps ${options.steps}: give a number from 1 to 400.`);
  if (options.index !== undefined && !['auto', 'lexical', 'hybrid'].includes(options.index))
    throw new CliError(EXIT.usage, `--index ${options.index}: give auto, lexical or hybrid.`);
  const model = options.model ?? context.settings.model.value;
  return withConnection(context, { work: true }, async ({ client, mode, platform }) => {
    const ref = options.corpus
      ? await uploadCorpus(client, options.corpus, (text) => output.note(text))
      : undefined;
    const { jobId, runId } = await client.request<{ jobId: string; runId: string }>('POST', '/v1/research', {
      body: {
        question,
        ...(options.report ? { kind: 'report' } : {}),
        ...(ref ? { corpus: corpusOf(ref, options) } : {}),
        ...(maxSteps === undefined ? {} : { limits: { maxSteps } }),
        ...(budget ? { budget } : {}),
        ...(model ? { model } : {}),
      },
    });
    output.note(`Job ${jobId}, run ${runId} (${mode}).`);
    let status: JobStatus | undefined;
    for await (const event of follow(client, jobId, context.interrupted, (text) => output.note(text))) {
      if (event.type === 'job.status') status = event.data.status as JobStatus;
      if (event.type === 'job.status' && event.data.detail) output.note(safeText(String(event.data.detail)));
      const line = lineOf(event);
      if (line !== undefined) output.note(line);
    }
    if (status === undefined) {
      if (options.cancelOnInterrupt) {
        await client.request('POST', `/v1/research/${jobId}/cancel`, { body: {} });
        output.note(`Cancelling ${jobId}.`);
      } else {
        if (mode === 'embedded') await platform?.drain(10_000);
        output.note(`Stopped. Go on with: agentmill resume ${jobId}`);
      }
      return EXIT.interrupted;
    }
    await warnings(client, jobId, (text) => output.note(text));
    const state = await client.request<{ status: string; answer?: Report }>('GET', `/v1/research/${jobId}`);
    if (output.json) output.result(state);
    else output.print(state.answer ? answerText(state.answer) : `No answer: the run is ${state.status}.`);
    return exitCodeOf(status, false);
  });
}

const corpusOf = (ref: ArtifactRef, { entity, index }: ResearchOptions) => ({
  ref,
  ...(entity ? { entityNoun: entity } : {}),
  ...(index ? { index } : {}),
});

/** What the job warned of, such as lines of the corpus that are no documents. */
async function warnings(client: ApiClient, jobId: string, note: (text: string) => void): Promise<void> {
  const { items } = await client.request<{ items: JobEvent[] }>('GET', `/v1/jobs/${jobId}/events`);
  for (const { level, message } of items) if (level === 'warn') note(safeText(message));
}

/** The events of a run until its job has ended, each once, across as many responses as it takes. */
async function* follow(
  client: ApiClient,
  jobId: string,
  stop: AbortSignal,
  note: (text: string) => void,
): AsyncGenerator<SentEvent> {
  let told = '';
  let last: string | undefined;
  for (;;) {
    if (stop.aborted) return;
    const text = await client.request<string>('GET', `/v1/research/${jobId}/events`, {
      asText: true,
      headers: { accept: 'text/event-stream', ...(last === undefined ? {} : { 'last-event-id': last }) },
    });
    for (const event of parseEvents(text)) {
      last = event.id;
      yield event;
      if (event.type === 'job.status') return;
    }
    if (last === undefined) {
      // A large corpus takes its time before anything happens.
      const { progress } = await client.request<Job>('GET', `/v1/jobs/${jobId}`);
      const line = indexLine(progress);
      if (line !== undefined && line !== told) note(line);
      told = line ?? told;
    }
    await delay(RECONNECT_MS, undefined, { signal: stop }).catch(() => undefined);
  }
}

const indexLine = ({ stage, done, total }: Job['progress']): string | undefined =>
  stage === 'IndexCorpus'
    ? `    indexing the corpus by meaning: ${done} of ${total} passages (--index lexical does without)`
    : undefined;

/** Reads a stream of server-sent events: ids, types and JSON data; anything else is passed over. */
export function parseEvents(text: string): SentEvent[] {
  return text.split('\n\n').flatMap((block) => {
    const fields = new Map(
      block.split('\n').map((line) => {
        const at = line.indexOf(':');
        return [line.slice(0, at), line.slice(at + 1).trimStart()] as const;
      }),
    );
    const [id, type, data] = [fields.get('id'), fields.get('event'), fields.get('data')];
    if (id === undefined || type === undefined || data === undefined) return [];
    return [{ id, type, data: JSON.parse(data) as Record<string, unknown> }];
  });
}

const WIDTH = 110;
const short = (text: string): string => {
  const line = safeText(text).replaceAll(/\s+/g, ' ').trim();
  return line.length <= WIDTH ? line : `${line.slice(0, WIDTH - 1)}…`;
};

/** What a person sees of an event; undefined for what the next lines say anyway. */
function lineOf({ type, data }: SentEvent): string | undefined {
  const text = String(data.text ?? '');
  switch (type) {
    case 'step.thinking':
      return `    ${short(text)}`;
    case 'step.call': {
      const args = Object.values(data.arguments as Record<string, unknown>).map(String);
      return `${String(data.step).padStart(3)} ${data.name as string} ${short(args.join(' '))}`;
    }
    case 'step.observed':
      return `    -> ${short(String(data.title ?? '') + (data.title ? ': ' : '') + text)}`;
    case 'step.unusable':
      return `${String(data.step).padStart(3)} a reply that could not be used (${data.code as string})`;
    case 'note.accepted':
      return `    note: ${short(text)}`;
    case 'memory.warned':
    case 'memory.locked':
    case 'memory.cleaned':
      return `    memory ${type.slice('memory.'.length)}: ${data.tokens as number} of ${data.limit as number} tokens`;
    case 'run.finalising':
      return `    finalising: ${data.reason as string}`;
    default:
      return undefined;
  }
}

/** The answer, and under it its sources as they were checked. */
function answerText({ markdown, citations, partial }: Report): string {
  const lines = [safeText(markdown)];
  if (partial) lines.push('', '(partial: a limit ended the research)');
  if (citations.length > 0) lines.push('', 'Sources:');
  for (const { n, url, quote, status } of citations) {
    lines.push(
      `  [${n}] ${safeText(url)}  ${status === 'verified' ? 'verified' : status.replaceAll('_', ' ')}`,
    );
    lines.push(`      "${short(quote)}"`);
  }
  return lines.join('\n');
}
