import { definitionText } from '#functions/definitions.ts';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { pascalCase } from '#shared/task/placeholders.ts';

interface StateNode {
  Label?: string;
  ItemReader?: { Resource: string };
  ResultWriter?: { Resource: string };
  ItemProcessor?: { ProcessorConfig?: { Mode?: string }; States: Record<string, StateNode> };
  Branches?: { States: Record<string, StateNode> }[];
}

/** Every state of a definition, nested ones too, in order of appearance. */
function statesOf(definition: string): StateNode[] {
  const walk = (states: Record<string, StateNode>): StateNode[] =>
    Object.values(states).flatMap((state) => [
      state,
      ...(state.ItemProcessor ? walk(state.ItemProcessor.States) : []),
      ...(state.Branches ?? []).flatMap((branch) => walk(branch.States)),
    ]);
  return walk((JSON.parse(definition) as { States: Record<string, StateNode> }).States);
}

/** Labels of the Distributed Maps of a definition, nested ones too, in order of appearance. */
export const distributedMapLabels = (definition: string): string[] =>
  statesOf(definition).flatMap(({ ItemProcessor, Label }) =>
    ItemProcessor?.ProcessorConfig?.Mode === 'DISTRIBUTED' && Label ? [Label] : [],
  );

/** What the maps of a definition do with objects themselves: read their items, write their results. */
export function mapObjects(definition: string): { read: boolean; write: boolean } {
  const states = statesOf(definition);
  return {
    read: states.some(({ ItemReader }) => ItemReader !== undefined),
    write: states.some(({ ResultWriter }) => ResultWriter?.Resource.endsWith(':s3:putObject') ?? false),
  };
}

/** Workflows whose executions a definition starts and waits for: `states:startExecution` on their placeholders. */
export function nestedWorkflows(entry: WorkflowEntry, definition = definitionText(entry)): string[] {
  const started = Object.values(entry.tasks).flatMap(({ capabilities }) =>
    capabilities.flatMap((capability) => /^workflows:start:(.+)$/.exec(capability)?.[1] ?? []),
  );
  return [...new Set(started)].filter(
    (name) =>
      definition.includes(':states:startExecution') &&
      definition.includes(`\${${pascalCase(name)}StateMachineArn}`),
  );
}
