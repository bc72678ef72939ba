/** The data of a Distributed Map: items read from objects, batches of them, results written to objects. */
export { Batcher, type Batch, type BatchOptions } from './batcher.ts';
export { MapRunFailure, objectUri } from './failure.ts';
export { openItems, type Item, type ReaderCursor } from './reader.ts';
export { readerOptions, type ReaderOptions } from './reader-options.ts';
export { collectResults, executionRecord, groupOf, recordsOf } from './results.ts';
export type { ChildResult, OutputType, ResultGroup, Transformation } from './results.ts';
export { writeResults, type WriterOptions } from './result-writer.ts';
