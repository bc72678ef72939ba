import { hashOf } from '#shared/determinism/hash.ts';
import { writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import type { TaskContext } from '#shared/task/context.ts';
import type { ToolLibraryConfig } from '../config.ts';
import { keys } from '../keys.ts';
import type { ImportedTool, Problem, Reject } from '../records.ts';
import { readRow } from './rows.ts';
import { readSource } from './source.ts';

/** Rows of a shard: what CreateTools maps over. */
export const SHARD_ROWS = 50;

export type ShardRow = { kind: 'problem'; row: Problem } | { kind: 'tool'; row: ImportedTool };

/** One line of `ingest/index.jsonl`. */
export interface ShardPointer {
  part: number;
  ref: ArtifactRef;
}

export interface Ingested {
  index: ArtifactRef;
  shards: number;
  problems: number;
  tools: number;
  duplicates: number;
  rejects: number;
}

/** Reads the source into shards of problems and imported tools; duplicates are dropped, unreadable rows are rejects. */
export async function ingest(ctx: TaskContext, config: ToolLibraryConfig): Promise<Ingested> {
  const { artifacts } = ctx;
  const { input, jobId } = config;
  const seen = new Set<string>();
  const ids = new Map<string, number>();
  const evidence = evidenceOf(input.source);
  const rejects: Reject[] = [];
  const pointers: ShardPointer[] = [];
  const counts = { problems: 0, tools: 0, duplicates: 0 };
  let shard: ShardRow[] = [];
  const flush = async (): Promise<void> => {
    if (shard.length === 0) return;
    const part = pointers.length;
    pointers.push({ part, ref: await writeJsonl(artifacts, keys.shard(jobId, part), shard) });
    shard = [];
  };
  let rows = 0;
  for await (const source of readSource(input.source, ctx.runtime)) {
    if (input.limit !== undefined && rows >= input.limit) break;
    rows++;
    const { line } = source;
    if ('problem' in source) {
      const { problem: code, message } = source;
      rejects.push({ itemId: `line-${line}`, stage: 'ingest', code, message, ...evidence });
      continue;
    }
    const read = readRow(source.value, line, input);
    if (read.kind === 'reject') {
      rejects.push({ ...read.reject, ...evidence });
      continue;
    }
    const { line: _line, id: _id, ...content } = read.row;
    const hash = hashOf(content);
    if (seen.has(hash)) {
      counts.duplicates++;
      continue;
    }
    seen.add(hash);
    counts[read.kind === 'tool' ? 'tools' : 'problems']++;
    shard.push(distinctId(read, ids));
    if (shard.length === SHARD_ROWS) await flush();
  }
  await flush();
  await writeJsonl(artifacts, keys.rejects(jobId, 'ingest', 0), rejects);
  const index = await writeJsonl(artifacts, keys.shardIndex(jobId), pointers);
  const counted = { shards: pointers.length, ...counts, rejects: rejects.length };
  await writeJson(artifacts, keys.ingestSummary(jobId), counted);
  return { index, ...counted };
}

/** Where the row of a reject lies: the line is in its id. Rows of the input itself are in the job's record. */
function evidenceOf(source: ToolLibraryConfig['input']['source']): { evidence?: string } {
  if (Array.isArray(source)) return {};
  return { evidence: typeof source === 'string' ? source : source.key };
}

/** Rows may share an id of their own (or a question): the second gets `_2`, or the next that no other has. */
function distinctId(row: ShardRow, ids: Map<string, number>): ShardRow {
  const given = row.row.id;
  let n = ids.get(given) ?? 0;
  let id = given;
  do {
    n++;
    if (n > 1) id = `${given}_${n}`;
  } while (n > 1 && ids.has(id));
  ids.set(given, n);
  if (id === given) return row;
  ids.set(id, 1);
  return { ...row, row: { ...row.row, id } } as ShardRow;
}
