import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Json } from '#shared/storage/ports.ts';
import type { WorkflowEntry } from '#shared/task/catalog.ts';

const DEFINITIONS = join(import.meta.dirname, '../statemachines');

/** The file of a workflow's state machine. */
export const definitionFile = ({ definition }: Pick<WorkflowEntry, 'definition'>): string =>
  join(DEFINITIONS, definition);

/** Its text, placeholders unbound. */
export const definitionText = (entry: Pick<WorkflowEntry, 'definition'>): string =>
  readFileSync(definitionFile(entry), 'utf8');

/** The same, parsed. */
export const definitionOf = (entry: Pick<WorkflowEntry, 'definition'>): Json =>
  JSON.parse(definitionText(entry)) as Json;
