import { readJson, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import { defect } from '#shared/task/errors.ts';
import type { CuratedPair, ExportPart } from '../curation/curate.ts';
import { rows } from '../io.ts';
import type { Document } from '../records.ts';
import type { StageScope } from '../stages/store.ts';
import { parquetBytes, type ExportRecord } from './parquet.ts';

/** One output part as written. */
export interface ExportDone {
  n: number;
  /** The curated records it was made from. */
  madeFrom: string;
  files: ArtifactRef[];
}

/** Joins the source text and writes `output/data/part-<n>.jsonl` and, where wanted, `.parquet`. Streams. */
export async function exportPart(scope: StageScope, part: ExportPart): Promise<ExportDone> {
  const { ctx, keys, config } = scope;
  const { parquet, includeSourceText } = config.input.output;
  const jsonlKey = keys.data(part.n, 'jsonl');
  const jsonl = await writeJsonl(ctx.artifacts, jsonlKey, joined(scope, part, includeSourceText));
  const files: ArtifactRef[] = [jsonl];
  if (parquet) {
    const key = keys.data(part.n, 'parquet');
    const body = parquetBytes(rows<ExportRecord>(ctx.artifacts, jsonl), includeSourceText);
    const { sha256, bytes } = await ctx.artifacts.put(key, body, {
      contentType: 'application/vnd.apache.parquet',
    });
    files.push({ key, sha256, bytes, ...(jsonl.count === undefined ? {} : { count: jsonl.count }) });
  }
  const done: ExportDone = { n: part.n, madeFrom: part.curated.sha256, files };
  await writeJson(ctx.artifacts, keys.exportDone(part.n), done);
  await ctx.jobs.advance(config.jobId, 'ExportParts', String(part.n), part.count);
  return done;
}

/** What every export child left. */
export const readExport = async (scope: StageScope, n: number): Promise<ExportDone> =>
  (await readJson(scope.ctx.artifacts, scope.keys.exportDone(n))) as ExportDone;

/** Curated records in document order, each with its document's text: every document part is read once. */
async function* joined(scope: StageScope, part: ExportPart, withText: boolean): AsyncGenerator<ExportRecord> {
  const { artifacts } = scope.ctx;
  let open: { part: string; documents: AsyncGenerator<Document>; line: number; text: string } | undefined;
  try {
    for await (const pair of rows<CuratedPair>(artifacts, part.curated)) {
      if (!withText) {
        yield pair.record;
        continue;
      }
      if (open?.part !== pair.part) {
        await open?.documents.return(undefined);
        const documents = rows<Document>(artifacts, scope.keys.documents(pair.part));
        open = { part: pair.part, documents, line: 0, text: '' };
      }
      while (open.line < pair.line) {
        const next: IteratorResult<Document> = await open.documents.next();
        if (next.done) throw defect(`documents/${pair.part}.jsonl ends before line ${pair.line}.`);
        open.line++;
        open.text = next.value.text;
      }
      yield { ...pair.record, sourceText: open.text };
    }
  } finally {
    await open?.documents.return(undefined);
  }
}
