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
      rejects.push({ itemId: `line-${line}`, stage: 'ingest', code, message });
      continue;
    }
    const read = readRow(source.value, line, input);
    if (read.kind === 'reject') {
      rejects.push(read.reject);
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

/** Rows may share an id of their own (or a question): the second gets `_2`. */
function distinctId(row: ShardRow, ids: Map<string, number>): ShardRow {
  const { id } = row.row;
  const times = (ids.get(id) ?? 0) + 1;
  ids.set(id, times);
  if (times === 1) return row;
  return { ...row, row: { ...row.row, id: `${id}_${times}` } } as ShardRow;
}
