import type { Json } from '#shared/storage/ports.ts';
import type { MapState } from '../language/index.ts';
import {
  collectResults,
  groupOf,
  writeResults,
  type ChildResult,
  type ResultGroup,
} from '../maprun/index.ts';
import { executionArn, lastPartOf, machineArn } from './arns.ts';
import type { Kernel } from './kernel.ts';
import { selected } from './map-run.ts';
import { prepare } from './map-source.ts';
import type { MapRun } from './model.ts';

/** Rows read at a time, so that results of any size pass through little memory. */
const PAGE = 200;

interface ChildRow {
  item: number;
  arn: string;
  name: string;
  machine: string;
  status: ChildResult['status'];
  input: string;
  output: string | null;
  error: string | null;
  cause: string | null;
  started: number;
  stopped: number | null;
}

/** A run's children in item order, from the store; all of them, or those of one group. */
function* children(kernel: Kernel, run: MapRun, group?: ResultGroup): Generator<ChildResult> {
  let after = -1;
  for (;;) {
    const rows = kernel.store.all<ChildRow>(
      `SELECT item, arn, name, machine, status, input, output, error, cause, started, stopped FROM executions
        WHERE run = ? AND item > ? ORDER BY item LIMIT ${PAGE}`,
      run.id,
      after,
    );
    for (const row of rows) {
      after = row.item;
      if (group === undefined || groupOf(row.status) === group) yield childResult(row);
    }
    if (rows.length < PAGE) return;
  }
}

const childResult = (row: ChildRow): ChildResult => ({
  status: row.status,
  executionArn: row.arn,
  name: row.name,
  stateMachineArn: machineArn(row.machine),
  input: JSON.parse(row.input) as Json,
  ...(row.output === null ? {} : { output: JSON.parse(row.output) as Json }),
  ...(row.error === null ? {} : { error: row.error }),
  ...(row.cause === null ? {} : { cause: row.cause }),
  started: row.started,
  ...(row.stopped === null ? {} : { stopped: row.stopped }),
});

/** The children a failed run never started, read from where it stopped. */
async function* unstarted(kernel: Kernel, run: MapRun): AsyncGenerator<ChildResult> {
  if (run.complete) return;
  const machine = `${run.execution.machine.split('/')[0]}/${run.label}`;
  const source = prepare(run.plan, run.cursor, kernel.outside.artifactsOf, (item) =>
    selected(kernel, run, item),
  );
  let index = run.next;
  try {
    for await (const { input } of source) {
      const name = `${lastPartOf(run.arn)}-${index++}`;
      yield {
        status: 'PENDING',
        executionArn: executionArn(machine, name),
        name,
        stateMachineArn: machineArn(machine),
        input,
      };
    }
  } catch {
    // Items that cannot be read are why such a run failed; those before them are listed.
  }
}

/** The state's result where nothing is exported. */
export function gatherResults(kernel: Kernel, run: MapRun, state: MapState): Promise<Json> {
  const writer = state.distributed?.writer;
  if (run.failure) return Promise.resolve(null);
  return collectResults(children(kernel, run), writer?.transformation, writer?.outputType);
}

/** Writes the result files and the manifest; repeating it writes the same keys. */
export async function exportResults(kernel: Kernel, run: MapRun, state: MapState): Promise<Json> {
  const writer = state.distributed!.writer!;
  const result = await writeResults({
    arguments: run.plan.writer!,
    transformation: writer.transformation,
    outputType: writer.outputType,
    mapRunArn: run.arn,
    runId: lastPartOf(run.arn),
    artifactsOf: kernel.outside.artifactsOf,
    children: (group) => (group === 'PENDING' ? unstarted(kernel, run) : children(kernel, run, group)),
  });
  return { ...result };
}
