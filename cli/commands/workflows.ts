import { z } from 'zod';
import { catalog, definitionOf } from '#local/platform.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit.ts';
import { workflowNamed } from '../jobs-flow.ts';
import { table } from '../output.ts';

/** `agentmill workflows [name] [--dot]`: the catalog, or one entry of it. */
export function showWorkflows(
  context: CommandContext,
  name: string | undefined,
  options: { dot?: boolean },
): number {
  const { output } = context;
  if (name === undefined) {
    if (output.json) {
      output.result(catalog.map(({ name, title, description }) => ({ name, title, description })));
    } else output.print(table(catalog.map((entry) => [entry.name, entry.title])));
    return EXIT.ok;
  }
  const entry = workflowNamed(name);
  const definition = definitionOf(entry) as unknown as StateTree;
  if (options.dot) {
    process.stdout.write(`${dotOf(name, definition)}\n`);
    return EXIT.ok;
  }
  const states = statesOf(definition, '');
  if (output.json) {
    output.result({
      name: entry.name,
      title: entry.title,
      description: entry.description,
      input: z.toJSONSchema(entry.input, { io: 'input', unrepresentable: 'any' }),
      examples: entry.examples,
      tasks: entry.tasks,
      concurrency: entry.concurrency,
      retention: entry.retention,
      limits: entry.limits,
      states,
    });
    return EXIT.ok;
  }
  output.print(`${output.color.bold(entry.title)} (${entry.name})\n${entry.description}\n`);
  output.print('States:');
  output.print(
    table(states.map((state) => [`  ${state.path}`, state.type, state.resource ?? '', state.comment ?? ''])),
  );
  output.print('\nTasks:');
  output.print(
    table(
      Object.entries(entry.tasks).map(([task, spec]) => [
        `  ${task}`,
        `${spec.memoryMb} MB`,
        `${spec.timeoutSeconds} s`,
        spec.capabilities.join(' '),
      ]),
    ),
  );
  output.print('\nExamples of its input:');
  for (const example of entry.examples) output.print(`  ${example.title}: ${JSON.stringify(example.input)}`);
  return EXIT.ok;
}

interface StateNode {
  Type: string;
  Comment?: string;
  Resource?: string;
  Arguments?: { FunctionName?: string };
  Next?: string;
  Default?: string;
  Choices?: { Next: string }[];
  Catch?: { Next: string }[];
  ItemProcessor?: StateTree;
  Branches?: StateTree[];
}

interface StateTree {
  StartAt: string;
  States: Record<string, StateNode>;
}

const innerTrees = (state: StateNode): StateTree[] => [
  ...(state.ItemProcessor ? [state.ItemProcessor] : []),
  ...(state.Branches ?? []),
];

interface StateRow {
  path: string;
  type: string;
  resource?: string;
  comment?: string;
}

function statesOf(tree: StateTree, prefix: string): StateRow[] {
  return Object.entries(tree.States).flatMap(([name, state]) => {
    const path = `${prefix}${name}`;
    const resource = state.Arguments?.FunctionName ?? state.Resource;
    return [
      {
        path,
        type: state.Type,
        ...(resource ? { resource } : {}),
        ...(state.Comment ? { comment: state.Comment } : {}),
      },
      ...innerTrees(state).flatMap((inner) => statesOf(inner, `${path}/`)),
    ];
  });
}

/** The machine as a Graphviz graph; failure paths dashed. */
function dotOf(name: string, tree: StateTree): string {
  const lines = [
    `digraph "${name}" {`,
    '  rankdir=TB; node [shape=box, style=rounded, fontname="sans-serif"];',
  ];
  const walk = (inner: StateTree, prefix: string, indent: string): void => {
    for (const [state, node] of Object.entries(inner.States)) {
      const id = JSON.stringify(`${prefix}${state}`);
      lines.push(
        `${indent}${id} [label=${JSON.stringify(state)}${node.Type === 'Choice' ? ', shape=diamond' : ''}];`,
      );
      const edge = (target: string, style = ''): void => {
        lines.push(`${indent}${id} -> ${JSON.stringify(`${prefix}${target}`)}${style};`);
      };
      for (const next of new Set([
        node.Next,
        node.Default,
        ...(node.Choices ?? []).map((choice) => choice.Next),
      ])) {
        if (next) edge(next);
      }
      for (const next of new Set((node.Catch ?? []).map((catcher) => catcher.Next)))
        edge(next, ' [style=dashed]');
      innerTrees(node).forEach((child, i) => {
        const at = `${prefix}${state}/${i > 0 ? `${i}/` : ''}`;
        lines.push(`${indent}subgraph ${JSON.stringify(`cluster_${at}`)} { label=${JSON.stringify(state)};`);
        walk(child, at, `${indent}  `);
        lines.push(`${indent}}`);
        lines.push(`${indent}${id} -> ${JSON.stringify(`${at}${child.StartAt}`)} [style=dotted];`);
      });
    }
  };
  walk(tree, '', '  ');
  return [...lines, '}'].join('\n');
}
