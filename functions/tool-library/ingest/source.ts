import { hashOf } from '#shared/determinism/hash.ts';
import type { Artifacts, Json } from '#shared/storage/ports.ts';
import { invalidInput, isError } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { scanLines } from '#shared/text/lines.ts';
import type { ToolLibraryInput } from '../input.ts';
import { isWellFormed } from '#shared/determinism/well-formed.ts';
import { MAX_ROW_BYTES } from './rows.ts';

/** Where a job's rows come from. */

export type SourceLine = { line: number } & (
  { value: Json } | { problem: 'BAD_ROW' | 'TOO_LARGE'; message: string }
);

type Place = { artifacts: Artifacts; key: string };

function placeOf(source: Exclude<ToolLibraryInput['source'], unknown[]>, runtime: Runtime): Place {
  if (typeof source !== 'string') {
    const artifacts = source.bucket === undefined ? runtime.artifacts : runtime.bucket(source.bucket);
    return { artifacts, key: source.key };
  }
  const s3 = /^s3:\/\/([^/]+)\/(.+)$/s.exec(source);
  if (s3) return { artifacts: runtime.bucket(s3[1]!), key: s3[2]! };
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(source)) {
    throw invalidInput(
      `source ${source}: give an artifact key or an s3:// address; upload local files first.`,
    );
  }
  return { artifacts: runtime.artifacts, key: source };
}

/** Hash of the source's content: what a rerun has in common with the first run, wherever the file lies. */
export async function sourceHash(source: ToolLibraryInput['source'], runtime: Runtime): Promise<string> {
  if (Array.isArray(source)) return hashOf(source);
  const { artifacts, key } = placeOf(source, runtime);
  try {
    const head = await artifacts.head(key);
    return head.sha256 ?? hashOf([head.etag, head.bytes]);
  } catch (error) {
    if (!isError(error, 'NotFound')) throw error;
    const detail = `There is no object ${key}: upload the source first.`;
    throw invalidInput(detail, { problems: [{ pointer: '/source', code: 'not-found', detail }] });
  }
}

/** The source's lines, streamed; blank ones are passed over, unreadable ones say why. */
export async function* readSource(
  source: ToolLibraryInput['source'],
  runtime: Runtime,
): AsyncGenerator<SourceLine> {
  if (Array.isArray(source)) {
    for (const [index, value] of source.entries()) yield checked(index + 1, value);
    return;
  }
  const { artifacts, key } = placeOf(source, runtime);
  const { body } = await artifacts.get(key);
  for await (const { line, bytes } of scanLines(body, { maxBytes: MAX_ROW_BYTES })) {
    if (bytes === undefined) {
      yield { line, problem: 'TOO_LARGE', message: `Line ${line} has more than ${MAX_ROW_BYTES} bytes.` };
      continue;
    }
    let text: string;
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      yield { line, problem: 'BAD_ROW', message: `Line ${line} is not UTF-8.` };
      continue;
    }
    if (text.trim() === '') continue;
    try {
      yield checkedForm(line, JSON.parse(text) as Json);
    } catch (error) {
      const why = (error as Error).message.slice(0, 200);
      yield { line, problem: 'BAD_ROW', message: `Line ${line} is not JSON: ${why}` };
    }
  }
}

function checked(line: number, value: Json): SourceLine {
  if (Buffer.byteLength(JSON.stringify(value)) <= MAX_ROW_BYTES) return checkedForm(line, value);
  return { line, problem: 'TOO_LARGE', message: `Row ${line} has more than ${MAX_ROW_BYTES} bytes.` };
}

/** Nothing can be stored by the hash of what has no canonical JSON. */
function checkedForm(line: number, value: Json): SourceLine {
  if (isWellFormed(value)) return { line, value };
  const message = `Line ${line} has half of a surrogate pair or a number beyond double precision: give whole characters, and large numbers as text.`;
  return { line, problem: 'BAD_ROW', message };
}
