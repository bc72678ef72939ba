import { definitionText } from '#functions/definitions.ts';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { pascalCase } from '#shared/task/placeholders.ts';

interface StateNode {
  Label?: string;
  ItemProcessor?: { ProcessorConfig?: { Mode?: string }; States: Record<string, StateNode> };
  Branches?: { States: Record<string, StateNode> }[];
}

/** Labels of the Distributed Maps of a definition, nested ones too, in order of appearance. */
export function distributedMapLabels(definition: string): string[] {
  const walk = (states: Record<string, StateNode>): string[] =>
    Object.values(states).flatMap((state) => [
      ...(state.ItemProcessor?.ProcessorConfig?.Mode === 'DISTRIBUTED' && state.Label ? [state.Label] : []),
      ...(state.ItemProcessor ? walk(state.ItemProcessor.States) : []),
      ...(state.Branches ?? []).flatMap((branch) => walk(branch.States)),
    ]);
  return walk((JSON.parse(definition) as { States: Record<string, StateNode> }).States);
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
