import { writeJsonl } from '#shared/storage/jsonl.ts';
import type { Artifacts } from '#shared/storage/ports.ts';
import { invalidInput, isError, type FieldProblem } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import type { Keys } from '../keys.ts';
import { pad } from '../keys.ts';
import type { Source, SourceFormat } from '../records.ts';
import type { RejectDraft } from '../rejects.ts';
import { locate } from './locations.ts';
import { parquetFile, rowGroupsOf } from './parquet.ts';
import {
  MAX_GZIP_BYTES,
  MAX_ROW_GROUP_BYTES,
  SEGMENT_BYTES,
  SEGMENT_FILES,
  type Segment,
} from './segments.ts';

interface SourceFile {
  artifacts: Artifacts;
  key: string;
  /** As records name it. */
  file: string;
  bytes: number;
}

export interface SourcePlan {
  segments: Segment[];
  rejects: RejectDraft[];
  files: number;
}

/**
 * Cuts the sources into segments: 64 MiB ranges of JSONL, whole gzip files, Parquet row groups, and lists of text files.
 * Empty and unreadable files become rejects.
 * @throws InvalidInput naming each source that does not exist.
 */
export async function planSources(sources: Source[], runtime: Runtime, keys: Keys): Promise<SourcePlan> {
  const plan: SourcePlan = { segments: [], rejects: [], files: 0 };
  const problems: FieldProblem[] = [];
  let lists = 0;
  for (const [index, source] of sources.entries()) {
    const texts: SourceFile[] = [];
    let found = 0;
    const flushTexts = async (): Promise<void> => {
      if (texts.length === 0) return;
      const rows = texts.map(({ file, bytes }) => ({ file, bytes }));
      const list = await writeJsonl(runtime.artifacts, keys.fileList(lists++), rows);
      const bytes = texts.reduce((sum, text) => sum + text.bytes, 0);
      plan.segments.push({ ...next(plan, index), kind: 'files', file: list.key, bytes });
      texts.length = 0;
    };
    let textBytes = 0;
    for await (const file of filesOf(source.uri, runtime)) {
      if (file.bytes === 0) {
        found++;
        plan.rejects.push({
          code: 'EMPTY_SOURCE',
          source: start(file),
          evidence: { hint: 'the file has no bytes' },
        });
        continue;
      }
      const format = source.format === 'auto' ? await formatOf(file) : source.format;
      if (format === 'sidecar') continue;
      found++;
      if (format === 'text') {
        if (texts.length >= SEGMENT_FILES || textBytes + file.bytes > SEGMENT_BYTES) {
          await flushTexts();
          textBytes = 0;
        }
        texts.push(file);
        textBytes += file.bytes;
      } else if (format === undefined) {
        const hint = 'name its format in sources[].format: jsonl, jsonl.gz, parquet or text';
        plan.rejects.push(
          unreadable(file, 'neither its extension nor its first bytes tell a format', { hint }),
        );
      } else {
        await flushTexts();
        textBytes = 0;
        await planFile(file, format, index, plan);
      }
    }
    await flushTexts();
    plan.files += found;
    if (found === 0) {
      const detail = `${source.uri}: no such file, and no files below it.`;
      problems.push({ pointer: `/sources/${index}/uri`, code: 'not_found', detail });
    }
  }
  if (problems.length > 0) throw invalidInput(problems.map(({ detail }) => detail).join(' '), { problems });
  return plan;
}

const next = (plan: SourcePlan, source: number) => ({ segment: pad(plan.segments.length), source });
const start = (file: SourceFile) => ({ uri: file.file, line: 1, byteStart: 0 });

const unreadable = (file: SourceFile, error: string, more: Record<string, unknown> = {}): RejectDraft => ({
  code: 'UNREADABLE_SOURCE',
  source: start(file),
  evidence: { error, bytes: file.bytes, ...more },
});

async function planFile(
  file: SourceFile,
  format: SourceFormat,
  source: number,
  plan: SourcePlan,
): Promise<void> {
  if (format === 'jsonl') {
    for (let at = 0; at < file.bytes; at += SEGMENT_BYTES) {
      const end = Math.min(file.bytes, at + SEGMENT_BYTES);
      plan.segments.push({
        ...next(plan, source),
        kind: 'lines',
        file: file.file,
        start: at,
        end,
        bytes: end - at,
      });
    }
    return;
  }
  if (format === 'jsonl.gz') {
    if (file.bytes > MAX_GZIP_BYTES) {
      plan.rejects.push(unreadable(file, 'gzip files may have 1 GiB; split it'));
    } else {
      plan.segments.push({ ...next(plan, source), kind: 'gzip', file: file.file, bytes: file.bytes });
    }
    return;
  }
  try {
    for (const group of await rowGroupsOf(parquetFile(file.artifacts, file.key, file.bytes))) {
      if (group.bytes > MAX_ROW_GROUP_BYTES) {
        const rows = `${group.rowStart + 1}-${group.rowEnd}`;
        plan.rejects.push({
          ...unreadable(file, 'a row group may have 256 MiB; write smaller ones', {
            rows,
            bytes: group.bytes,
          }),
          source: { uri: file.file, line: group.rowStart + 1, byteStart: 0 },
        });
        continue;
      }
      const { rowStart, rowEnd, bytes } = group;
      plan.segments.push({
        ...next(plan, source),
        kind: 'rows',
        file: file.file,
        start: rowStart,
        end: rowEnd,
        bytes,
      });
    }
  } catch (error) {
    if (isError(error)) throw error;
    plan.rejects.push(unreadable(file, `parquet: ${(error as Error).message}`));
  }
}

/** The files an address names: itself, else all below it as a prefix, in key order. */
async function* filesOf(uri: string, runtime: Runtime): AsyncGenerator<SourceFile> {
  const { artifacts, key, scheme } = locate(uri, runtime);
  if (key !== '' && !key.endsWith('/')) {
    try {
      const head = await artifacts.head(key);
      yield { artifacts, key, file: scheme + key, bytes: head.bytes };
      return;
    } catch (error) {
      if (!isError(error, 'NotFound')) throw error;
    }
  }
  // A prefix without a slash means a folder: `data/a` must not take in `data/ab.txt`.
  const prefix = key === '' || key.endsWith('/') ? key : `${key}/`;
  let after: string | undefined;
  do {
    const page = await artifacts.list({ prefix, ...(after === undefined ? {} : { after }) });
    for (const object of page.objects) {
      if (object.key.endsWith('/') || object.key.endsWith('/_SUCCESS')) continue;
      yield { artifacts, key: object.key, file: scheme + object.key, bytes: object.bytes };
    }
    after = page.next;
  } while (after !== undefined);
}

const EXTENSIONS: [RegExp, SourceFormat | 'sidecar'][] = [
  [/\.meta\.json$/i, 'sidecar'],
  [/\.(jsonl|ndjson)\.gz$/i, 'jsonl.gz'],
  [/\.(jsonl|ndjson)$/i, 'jsonl'],
  [/\.parquet$/i, 'parquet'],
  [/\.(txt|md)$/i, 'text'],
];

/** By extension, then by magic bytes; undefined where neither tells. */
async function formatOf(file: SourceFile): Promise<SourceFormat | 'sidecar' | undefined> {
  for (const [pattern, format] of EXTENSIONS) if (pattern.test(file.key)) return format;
  const { body } = await file.artifacts.get(file.key, { range: { start: 0, end: Math.min(64, file.bytes) } });
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return formatOfBytes(Buffer.concat(chunks));
}

/** The format that the first bytes of a file tell. */
export function formatOfBytes(bytes: Uint8Array): SourceFormat | undefined {
  const text = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return 'jsonl.gz';
  if (text.startsWith('PAR1')) return 'parquet';
  return /^(?:\xef\xbb\xbf)?\s*\{/.test(text) ? 'jsonl' : undefined;
}
