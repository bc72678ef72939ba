import { checkDefinition } from './check-definition.ts';
import { entryModule, type Capability, type TaskEntry, type WorkflowEntry } from './catalog.ts';
import { fieldProblems, pointerTo } from './fields.ts';
import { pascalCase } from './placeholders.ts';

/** Everything that can be wrong with the catalog (infra-api-cli section 1): synth, start-up and a test stop on any finding. */

export interface Finding {
  workflow: string;
  /** Where: `functions/<workflow>/workflow.ts` or `statemachines/<definition>`. */
  file: string;
  /** JSON Pointer into the entry or the definition. */
  pointer: string;
  code:
    | 'malformed-name'
    | 'duplicate-name'
    | 'name-too-long'
    | 'missing-definition'
    | 'malformed-definition'
    | 'missing-entry'
    | 'missing-package'
    | 'task-limits'
    | 'unknown-capability'
    | 'unknown-model'
    | 'unknown-placeholder'
    | 'unused-task'
    | 'stray-placeholder'
    | 'not-jsonata'
    | 'missing-comment'
    | 'begin-not-first'
    | 'path-without-finish'
    | 'missing-timeout'
    | 'missing-retry'
    | 'missing-catch'
    | 'map-label'
    | 'example-refused'
    | 's3-prefix';
  message: string;
}

export interface CheckOptions {
  /** Whether a task's module below functions/ exists; absent: not looked at. */
  entryExists?(module: string): boolean;
  /** Names that package.json depends on at run time; absent: not looked at. */
  dependencies?: ReadonlySet<string>;
  /** The longest stage name in use, for lengths of resource names. Default `prod`. */
  stage?: string;
}

const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const MAX_NAME = 32;
const MAX_FUNCTION_NAME = 64;
const MAX_MACHINE_NAME = 80;
/** The pseudo-workflow of jobs made for objects that name none. */
export const UNKNOWN_WORKFLOW = 'unknown';

/**
 * @param definitions the text of each file below statemachines/, by its name.
 * @param models names of models and routes in the registry.
 */
export function checkCatalog(
  entries: readonly WorkflowEntry[],
  definitions: Readonly<Record<string, string | undefined>>,
  models: Iterable<string>,
  options: CheckOptions = {},
): Finding[] {
  const known = new Set(models);
  const findings = entries.flatMap((entry) => [
    ...checkNames(entry, entries, options.stage ?? 'prod'),
    ...checkTasks(entry, entries, known, options),
    ...checkExamples(entry),
    ...checkPrefix(entry, entries),
    ...checkFile(entry, definitions),
  ]);
  return findings;
}

/** The findings as lines for people. */
export const describeFindings = (findings: readonly Finding[]): string =>
  findings.map(({ file, pointer, message }) => `${file}#${pointer}: ${message}`).join('\n');

const reporter =
  (entry: WorkflowEntry, file = `functions/${entry.name}/workflow.ts`) =>
  (path: readonly PropertyKey[], code: Finding['code'], message: string): Finding => ({
    workflow: entry.name,
    file,
    pointer: pointerTo(path),
    code,
    message,
  });

function checkNames(entry: WorkflowEntry, all: readonly WorkflowEntry[], stage: string): Finding[] {
  const { name } = entry;
  const report = reporter(entry);
  const findings: Finding[] = [];
  if (!NAME.test(name) || name.length > MAX_NAME || name === UNKNOWN_WORKFLOW) {
    const rule = `kebab-case, no dot, at most ${MAX_NAME} characters, and not "${UNKNOWN_WORKFLOW}"`;
    findings.push(report(['name'], 'malformed-name', `"${name}" is no workflow name: ${rule}.`));
  }
  if (
    all.some((other) => other !== entry && other.name === name) &&
    all.find((other) => other.name === name) !== entry
  ) {
    findings.push(report(['name'], 'duplicate-name', `Two workflows are named "${name}".`));
  }
  if (`agentmill-${stage}-${name}`.length > MAX_MACHINE_NAME) {
    findings.push(
      report(['name'], 'name-too-long', `Its state machine's name has over ${MAX_MACHINE_NAME} characters.`),
    );
  }
  const byPlaceholder = new Map<string, string>();
  for (const task of Object.keys(entry.tasks)) {
    const path = ['tasks', task];
    if (!NAME.test(task)) {
      findings.push(report(path, 'malformed-name', `"${task}" is no task name: use kebab-case.`));
    }
    const full = `agentmill-${stage}-${name}-${task}`;
    if (full.length > MAX_FUNCTION_NAME) {
      const message = `The function name ${full} has ${full.length} characters, the limit is ${MAX_FUNCTION_NAME}.`;
      findings.push(report(path, 'name-too-long', message));
    }
    const twin = byPlaceholder.get(pascalCase(task));
    if (twin !== undefined) {
      findings.push(report(path, 'duplicate-name', `"${twin}" and "${task}" share one placeholder.`));
    }
    byPlaceholder.set(pascalCase(task), task);
  }
  return findings;
}

const CAPABILITY =
  /^(?:artifacts:read|artifacts:write|records|sandbox:invoke|libraries:read|libraries:write|research|(?:queue|models|secrets|workflows:start):.+)$/;

/** Whether a text is one of the capabilities that `infra/` can turn into statements (section 6). */
export const isCapability = (text: string): text is Capability => CAPABILITY.test(text);

/** Tasks that ask models themselves, between other effects: the slices of an agent's run. */
const MODEL_CALLERS: ReadonlySet<string> = new Set(['slice']);

function checkTasks(
  entry: WorkflowEntry,
  all: readonly WorkflowEntry[],
  models: ReadonlySet<string>,
  { entryExists, dependencies }: CheckOptions,
): Finding[] {
  const report = reporter(entry);
  return Object.entries(entry.tasks).flatMap(([name, task]) => {
    const findings: Finding[] = [];
    const add = (field: PropertyKey[], code: Finding['code'], message: string) =>
      findings.push(report(['tasks', name, ...field], code, message));
    const module = entryModule(entry.name, task);
    if (entryExists && !entryExists(module)) {
      add(['entry'], 'missing-entry', `functions/${module} does not exist.`);
    }
    task.packages?.forEach((packageName, index) => {
      if (dependencies && !dependencies.has(packageName)) {
        const message = `"${packageName}" is not among the dependencies of package.json: npm install --save-exact ${packageName}`;
        add(['packages', index], 'missing-package', message);
      }
    });
    const beside = new Set(['index', 'o200k_base']);
    task.modules?.forEach((path, index) => {
      const base = path.replace(/^.*\/|\.[^.]*$/g, '');
      if (entryExists && !entryExists(`../${path}`)) {
        add(
          ['modules', index],
          'missing-entry',
          `${path} does not exist (paths are below the repository's root).`,
        );
      }
      if (beside.has(base)) {
        add(['modules', index], 'duplicate-name', `Beside the bundle there is already a ${base}.mjs.`);
      }
      beside.add(base);
    });
    for (const [field, low, high] of LIMITS) {
      const value = task[field];
      if (value !== undefined && !(Number.isInteger(value) && value >= low && value <= high)) {
        add([field], 'task-limits', `${field} is ${value}: Lambda takes ${low} to ${high}.`);
      }
    }
    task.capabilities.forEach((capability: string, index) => {
      const [area, ...rest] = capability.split(':');
      const target = rest.at(-1) ?? '';
      const path = ['capabilities', index];
      if (!isCapability(capability)) {
        add(path, 'unknown-capability', `"${capability}" is no capability.`);
      } else if (area === 'models' && task.platform !== 'infer' && !MODEL_CALLERS.has(name)) {
        add(path, 'unknown-capability', 'Only `infer` and slices of agents call models.');
      } else if (area === 'models' && target !== 'default' && !models.has(target)) {
        add(path, 'unknown-model', `There is no model or route "${target}" in the registry.`);
      } else if (area === 'workflows' && !all.some((other) => other.name === target)) {
        add(path, 'unknown-capability', `There is no workflow "${target}" to start.`);
      }
    });
    return findings;
  });
}

const LIMITS: [
  keyof Pick<TaskEntry, 'memoryMb' | 'timeoutSeconds' | 'ephemeralMb' | 'maxConcurrency'>,
  number,
  number,
][] = [
  ['memoryMb', 128, 10_240],
  ['timeoutSeconds', 3, 900],
  ['ephemeralMb', 512, 10_240],
  ['maxConcurrency', 1, 10_000],
];

function checkExamples(entry: WorkflowEntry): Finding[] {
  const report = reporter(entry);
  return entry.examples.flatMap((example, index) => {
    const parsed = entry.input.safeParse(example.input);
    if (parsed.success) return [];
    return fieldProblems(parsed.error).map((fault) => ({
      ...report(['examples', index, 'input'], 'example-refused', `"${example.title}": ${fault.detail}`),
      pointer: `${pointerTo(['examples', index, 'input'])}${fault.pointer}`,
    }));
  });
}

function checkPrefix(entry: WorkflowEntry, all: readonly WorkflowEntry[]): Finding[] {
  const report = reporter(entry);
  const prefix = entry.triggers.s3?.prefix;
  if (prefix === undefined) return [];
  const path = ['triggers', 's3', 'prefix'];
  if (!prefix.startsWith(`ingest/${entry.name}/`) || !prefix.endsWith('/')) {
    return [
      report(path, 's3-prefix', `"${prefix}" must be ingest/${entry.name}/ or lie below it, and end in "/".`),
    ];
  }
  const before = all.slice(0, all.indexOf(entry));
  const clash = before.find(
    ({ triggers: { s3 } }) => s3 && (s3.prefix.startsWith(prefix) || prefix.startsWith(s3.prefix)),
  );
  return clash ? [report(path, 's3-prefix', `"${prefix}" overlaps the prefix of ${clash.name}.`)] : [];
}

function checkFile(
  entry: WorkflowEntry,
  definitions: Readonly<Record<string, string | undefined>>,
): Finding[] {
  const text = definitions[entry.definition];
  if (text === undefined) {
    const message = `statemachines/${entry.definition} does not exist.`;
    return [reporter(entry)(['definition'], 'missing-definition', message)];
  }
  const report = reporter(entry, `statemachines/${entry.definition}`);
  let definition: unknown;
  try {
    definition = JSON.parse(text);
  } catch (error) {
    return [report([], 'malformed-definition', `It is not JSON: ${(error as Error).message}`)];
  }
  return checkDefinition(entry, definition, report, reporter(entry));
}
