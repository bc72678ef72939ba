import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { cacheKey } from '../cache/key.ts';
import { loadRegistry } from '../registry.ts';
import {
  ProviderError,
  type InferErrorCode,
  type InferRequest,
  type ModelEntry,
  type Provider,
  type ProviderReply,
} from '../types.ts';
import type { ProviderEnv } from './env.ts';
import { unsent } from './errors.ts';

const Count = z.int().min(0);
const UsageSchema = z.strictObject({
  input: Count,
  output: Count,
  cached: Count.optional(),
  reasoning: Count.optional(),
});

const ReplySchema = z.strictObject({
  text: z.string(),
  reasoning: z.string().optional(),
  toolCalls: z
    .array(z.strictObject({ id: z.string().optional(), name: z.string(), argumentsText: z.string() }))
    .optional(),
  finish: z.enum(['stop', 'length', 'tool_calls', 'content_filter', 'error']),
  usage: UsageSchema.optional(),
  httpStatus: z.int().optional(),
  firstTokenMs: z.number().optional(),
});

const ErrorSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  billed: z.enum(['yes', 'no', 'unknown']),
  httpStatus: z.int().optional(),
  retryAfterMs: z.number().optional(),
  usage: UsageSchema.optional(),
});

/**
 * One line of a cassette: what the model answered (`reply`) or how it failed (`error`), after `delayMs`. Lines of one
 * key answer in their order, the last one again and again. `label` is for readers.
 */
const LineSchema = z
  .strictObject({
    key: z.string().regex(/^[0-9a-f]{64}$/),
    label: z.string().optional(),
    delayMs: z.number().min(0).optional(),
    reply: ReplySchema.optional(),
    error: ErrorSchema.optional(),
  })
  .refine((line) => (line.reply === undefined) !== (line.error === undefined), 'needs either reply or error');

export type CassetteLine = z.infer<typeof LineSchema>;

/**
 * What a recording is found by: the cache key (section 6) without the provider, the model and its revision, so that
 * one recording serves any of them.
 */
export function replayKey(request: InferRequest): string {
  return cacheKey(request, { provider: 'replay', model: '', revision: '', codec: '', maxOutputTokens: null });
}

/**
 * Recorded answers (model-inference section 4). `strict`: an unknown request is REPLAY_MISS. `record`: it is answered
 * by the model `upstream`, and the answer appended to the file.
 */
export async function replayProvider(model: ModelEntry, env: ProviderEnv): Promise<Provider> {
  const file = model.endpoint.file!;
  const recording = model.endpoint.mode === 'record';
  const lines = await readCassette(file, recording);
  const played = new Map<string, number>();
  const flights = new Map<string, Promise<ProviderReply>>();
  let writing: Promise<void> = recording
    ? mkdir(dirname(file), { recursive: true }).then(() => undefined)
    : Promise.resolve();

  const append = (line: CassetteLine): Promise<void> => {
    lines.set(line.key, [...(lines.get(line.key) ?? []), line]);
    writing = writing.then(() => appendFile(file, `${JSON.stringify(line)}\n`));
    return writing;
  };

  return {
    name: 'replay',
    async call(call) {
      const key = replayKey(call.request);
      const takes = lines.get(key);
      if (takes) {
        const at = played.get(key) ?? 0;
        played.set(key, at + 1);
        return play(takes[Math.min(at, takes.length - 1)]!, (ms) => env.runtime.clock.sleep(ms, call.signal));
      }
      if (!recording) {
        throw unsent(
          'REPLAY_MISS',
          `No recording of this request of the role ${call.request.role.name} in ${file}.`,
        );
      }
      // Equal requests in flight are recorded once.
      const flight = flights.get(key) ?? ask(call.request);
      flights.set(key, flight);
      try {
        return await flight;
      } finally {
        flights.delete(key);
      }

      async function ask(request: InferRequest): Promise<ProviderReply> {
        const upstream = (await loadRegistry(env.runtime)).models.get(model.endpoint.upstream!);
        if (!upstream) throw unsent('NOT_FOUND', `There is no model ${model.endpoint.upstream} to record.`);
        const { providerFor } = await import('./index.ts');
        const reply = await (await providerFor(upstream, env)).call({ ...call, model: upstream });
        await append({
          key,
          label: `${request.role.name}@${request.role.version}`,
          reply: reply as CassetteLine['reply'],
        });
        return reply;
      }
    },
    close: () => writing,
  };
}

async function play(line: CassetteLine, sleep: (ms: number) => Promise<void>): Promise<ProviderReply> {
  if (line.delayMs) {
    try {
      await sleep(line.delayMs);
    } catch (error) {
      throw new ProviderError('TIMEOUT', 'The call was cancelled.', { billed: 'unknown', cause: error });
    }
  }
  if (line.reply) return line.reply as ProviderReply;
  const { code, message, ...details } = line.error!;
  throw new ProviderError(code as InferErrorCode, message, details as { billed: 'yes' | 'no' | 'unknown' });
}

/** @throws ProviderError FILE_MISSING naming the file and the line that cannot be read. */
async function readCassette(file: string, mayBeAbsent: boolean): Promise<Map<string, CassetteLine[]>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (mayBeAbsent && (error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw unsent('FILE_MISSING', `The cassette ${file} cannot be read.`, error);
  }
  const lines = new Map<string, CassetteLine[]>();
  text.split('\n').forEach((row, index) => {
    if (row.trim() === '') return;
    const parsed = LineSchema.safeParse(parseJson(row));
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const where = issue?.path.join('.') || 'the line';
      throw unsent(
        'FILE_MISSING',
        `Line ${index + 1} of the cassette ${file} is not usable: ${where}: ${issue?.message}.`,
      );
    }
    lines.set(parsed.data.key, [...(lines.get(parsed.data.key) ?? []), parsed.data]);
  });
  return lines;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
