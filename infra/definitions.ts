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
