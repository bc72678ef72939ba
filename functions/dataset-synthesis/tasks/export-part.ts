import { z } from 'zod';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig } from '../config.ts';
import { keysOf } from '../keys.ts';
import { exportPart } from '../output/export.ts';
import type { ExportPart } from '../curation/curate.ts';
import { ExportPartSchema, jobInput } from './schemas.ts';

/** `ExportPart`: one JSONL file and one Parquet file of records with their source texts. */
export const handler = defineTask({
  name: 'dataset-synthesis/export-part',
  input: z.object({ ...jobInput, items: z.array(ExportPartSchema).min(1) }),
  output: z.object({ records: z.int(), files: z.int() }),
  async run({ jobId, config: ref, items }, ctx) {
    const config = await loadConfig(ctx.artifacts, ref);
    let records = 0;
    let files = 0;
    for (const item of items) {
      const done = await exportPart({ ctx, config, keys: keysOf(jobId) }, item as ExportPart);
      records += item.count;
      files += done.files.length;
    }
    return { records, files };
  },
});
