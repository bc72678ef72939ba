import { isoTime } from '#shared/determinism/clock.ts';
import type { Json } from '#shared/storage/ports.ts';
import { MAX_PAYLOAD_BYTES } from '../language/limits.ts';
import { MapRunFailure } from './failure.ts';

/** How a map run's child ended, or that it never started. */
export interface ChildResult {
  status: 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED' | 'PENDING';
  executionArn: string;
  name: string;
  stateMachineArn: string;
  input: Json;
  /** Exactly for SUCCEEDED. */
  output?: Json;
  error?: string;
  cause?: string;
  /** Milliseconds since the epoch. */
  started?: number;
  stopped?: number;
}

export type Transformation = 'NONE' | 'COMPACT' | 'FLATTEN';
export type OutputType = 'JSON' | 'JSONL';
/** The three kinds of result file. */
export type ResultGroup = 'SUCCEEDED' | 'FAILED' | 'PENDING';

export function groupOf(status: ChildResult['status']): ResultGroup {
  return status === 'SUCCEEDED' || status === 'PENDING' ? status : 'FAILED';
}

/** The NONE record of a child: the execution's metadata, its input and output as JSON text. */
export function executionRecord(child: ChildResult): { [key: string]: Json } {
  return {
    ...(child.cause === undefined ? {} : { Cause: child.cause }),
    ...(child.error === undefined ? {} : { Error: child.error }),
    ExecutionArn: child.executionArn,
    Input: JSON.stringify(child.input),
    InputDetails: { Included: true },
    Name: child.name,
    ...(child.output === undefined
      ? {}
      : { Output: JSON.stringify(child.output), OutputDetails: { Included: true } }),
    ...(child.started === undefined ? {} : { StartDate: isoTime(child.started) }),
    StateMachineArn: child.stateMachineArn,
    Status: child.status,
    ...(child.stopped === undefined ? {} : { StopDate: isoTime(child.stopped) }),
  };
}

/** The records one child contributes. A child without an output is its NONE record under every transformation. */
export function recordsOf(child: ChildResult, transformation: Transformation): Json[] {
  if (child.status !== 'SUCCEEDED' || child.output === undefined || transformation === 'NONE') {
    return [executionRecord(child)];
  }
  return transformation === 'FLATTEN' && Array.isArray(child.output) ? child.output : [child.output];
}

/**
 * The state's result where nothing is exported: all children's records in item order, as an array or, for JSONL, as
 * text of one record a line.
 * @param transformation - `COMPACT` where the state has no ResultWriter
 * @throws MapRunFailure `States.DataLimitExceeded` as soon as the result is over 256 KiB
 */
export async function collectResults(
  children: Iterable<ChildResult> | AsyncIterable<ChildResult>,
  transformation: Transformation = 'COMPACT',
  outputType: OutputType = 'JSON',
): Promise<Json> {
  const records: Json[] = [];
  let bytes = 2;
  for await (const child of children) {
    for (const record of recordsOf(child, transformation)) {
      bytes += Buffer.byteLength(JSON.stringify(record), 'utf8') + (records.length > 0 ? 1 : 0);
      if (bytes > MAX_PAYLOAD_BYTES) {
        const cause = `The result of the Map state is larger than ${MAX_PAYLOAD_BYTES} bytes: export it with a ResultWriter`;
        throw new MapRunFailure('States.DataLimitExceeded', cause);
      }
      records.push(record);
    }
  }
  return outputType === 'JSON' ? records : records.map((record) => JSON.stringify(record)).join('\n');
}
