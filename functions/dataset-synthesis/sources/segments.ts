import { z } from 'zod';

/** A stretch of the sources that one `index-segment` reads. */
export const SegmentSchema = z.strictObject({
  /** Five digits, in source order: segments and lines within them give every document its place. */
  segment: z.string(),
  /** Index into the input's sources. */
  source: z.number().int(),
  kind: z.enum(['lines', 'gzip', 'rows', 'files']),
  /** The file as records name it; for `files`, the key of a list of files. */
  file: z.string(),
  /** `lines`: byte range; a line belongs where it starts. `rows`: row range of one row group. */
  start: z.number().int().nonnegative().optional(),
  end: z.number().int().nonnegative().optional(),
  bytes: z.number().int().nonnegative(),
});

export type Segment = z.infer<typeof SegmentSchema>;

/** Bytes of a range of a JSONL file, and of a list of text files. */
export const SEGMENT_BYTES = 64 * 1024 * 1024;
/** Text files read by one task at most. */
export const SEGMENT_FILES = 1000;
export const MAX_GZIP_BYTES = 1024 ** 3;
export const MAX_ROW_GROUP_BYTES = 256 * 1024 * 1024;
