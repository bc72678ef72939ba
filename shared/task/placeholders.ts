import type { WorkflowEntry } from './catalog.ts';

/**
 * The `${…}` names that a workflow's definition may use (infra-api-cli section 1). CloudFormation substitutions on
 * AWS and the embedded platform bind the same map.
 */
export interface PlaceholderValues {
  functionArn(task: string): string;
  bucketName: string;
  machineArn(workflow: string): string;
}

/** `IndexBenchmarks` for `index-benchmarks`. */
export const pascalCase = (name: string): string =>
  name
    .split('-')
    .filter(Boolean)
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('');

/** Every placeholder of a workflow with its value. */
export function placeholdersOf(entry: WorkflowEntry, values: PlaceholderValues): Record<string, string> {
  const map: Record<string, string> = { ArtifactsBucketName: values.bucketName };
  for (const [task, spec] of Object.entries(entry.tasks)) {
    map[`${pascalCase(task)}FunctionArn`] = values.functionArn(task);
    map[`${pascalCase(task)}Concurrency`] = String(spec.maxConcurrency ?? entry.concurrency.items);
    for (const capability of spec.capabilities) {
      const started = /^workflows:start:(.+)$/.exec(capability)?.[1];
      if (started) map[`${pascalCase(started)}StateMachineArn`] = values.machineArn(started);
    }
  }
  return map;
}

const PLACEHOLDER = /\$\{([A-Za-z][A-Za-z0-9]*)\}/g;

/** Replaces every known placeholder in a definition's text; unknown ones stay, and compiling refuses them. */
export function bindPlaceholders(definition: string, map: Readonly<Record<string, string>>): string {
  return definition.replace(PLACEHOLDER, (whole, name: string) => map[name] ?? whole);
}
