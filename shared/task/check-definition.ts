import type { WorkflowEntry } from './catalog.ts';
import type { Finding } from './check-catalog.ts';
import { pascalCase, placeholdersOf } from './placeholders.ts';
import { checkRetry } from './standard-retry.ts';

/** What a workflow's state machine must keep to beyond the language itself (infra-api-cli sections 1, 4 and 9). */

type Report = (path: readonly PropertyKey[], code: Finding['code'], message: string) => Finding;
type Path = readonly PropertyKey[];

interface State {
  Type?: string;
  Comment?: unknown;
  QueryLanguage?: string;
  Resource?: unknown;
  Arguments?: unknown;
  TimeoutSeconds?: unknown;
  Retry?: unknown;
  Catch?: { ErrorEquals?: string[]; Next?: string }[];
  Next?: string;
  End?: boolean;
  Default?: string;
  Choices?: { Next?: string }[];
  Label?: string;
  ItemProcessor?: Scope & { ProcessorConfig?: { Mode?: string } };
  Branches?: Scope[];
}
interface Scope {
  StartAt?: string;
  States?: Record<string, State>;
  QueryLanguage?: string;
}

const MAX_LABEL = 40;

/** @param inEntry reports faults of the catalog entry, such as a task that no state uses. */
export function checkDefinition(
  entry: WorkflowEntry,
  definition: unknown,
  report: Report,
  inEntry: Report,
): Finding[] {
  if (typeof definition !== 'object' || definition === null || !isScope(definition)) {
    return [
      report([], 'malformed-definition', 'It is no state machine: `StartAt` and `States` are missing.'),
    ];
  }
  const machine = definition;
  const findings = checkPlaceholders(entry, machine, report, inEntry);
  if (machine.QueryLanguage !== 'JSONata') {
    findings.push(
      report(['QueryLanguage'], 'not-jsonata', 'The machine must say "QueryLanguage": "JSONata".'),
    );
  }
  const labels = new Map<string, Path>();
  for (const { path, state, nested } of statesOf(machine, [])) {
    findings.push(...checkState(path, state, nested, report, labels));
  }
  findings.push(...checkBegin(machine, report), ...checkFinish(machine, report));
  return findings;
}

const isScope = (value: object): value is Required<Scope> =>
  'StartAt' in value &&
  typeof value.StartAt === 'string' &&
  'States' in value &&
  typeof value.States === 'object' &&
  value.States !== null;

/** Every state of a machine with its path, those of branches and item processors too. */
function* statesOf(
  scope: Scope,
  base: Path,
  nested = false,
): Generator<{ path: Path; state: State; nested: boolean }> {
  for (const [name, state] of Object.entries(scope.States ?? {})) {
    const path = [...base, 'States', name];
    yield { path, state, nested };
    if (state.ItemProcessor) yield* statesOf(state.ItemProcessor, [...path, 'ItemProcessor'], true);
    for (const [index, branch] of (state.Branches ?? []).entries()) {
      yield* statesOf(branch, [...path, 'Branches', index], true);
    }
  }
}

function checkState(
  path: Path,
  state: State,
  nested: boolean,
  report: Report,
  labels: Map<string, Path>,
): Finding[] {
  const findings: Finding[] = [];
  const add = (field: Path, code: Finding['code'], message: string) =>
    findings.push(report([...path, ...field], code, message));
  if (typeof state.Comment !== 'string' || state.Comment.trim() === '') {
    add([], 'missing-comment', 'A state needs a Comment that says what it does.');
  }
  if (state.QueryLanguage !== undefined && state.QueryLanguage !== 'JSONata') {
    add(['QueryLanguage'], 'not-jsonata', 'Every state uses JSONata.');
  }
  if (isLambda(state)) {
    if (state.TimeoutSeconds === undefined) {
      add(
        [],
        'missing-timeout',
        'A Lambda task needs TimeoutSeconds: without it a lost answer is waited for for ever.',
      );
    }
    const fault = checkRetry(state.Retry);
    if (fault !== undefined) add(['Retry'], 'missing-retry', fault);
  }
  const canFail = isLambda(state) || state.Type === 'Map' || state.Type === 'Parallel';
  // Inside a Map or Parallel a failure ends the branch, and the state around it catches.
  if (canFail && !nested && !isFinish(state) && !catchesAll(state)) {
    add(['Catch'], 'missing-catch', 'It needs a catcher of States.ALL that leads to Finish.');
  }
  if (state.Type === 'Map' && state.ItemProcessor?.ProcessorConfig?.Mode === 'DISTRIBUTED') {
    const { Label: label } = state;
    if (typeof label !== 'string' || label === '' || label.length > MAX_LABEL) {
      add(['Label'], 'map-label', `A Distributed Map needs a Label of at most ${MAX_LABEL} characters.`);
    } else if (labels.has(label)) add(['Label'], 'map-label', `The Label "${label}" is used twice.`);
    else labels.set(label, path);
  }
  return findings;
}

const isLambda = (state: State): boolean =>
  state.Type === 'Task' &&
  typeof state.Resource === 'string' &&
  /^arn:aws[a-z-]*:states:::lambda:invoke|^\$\{\w+FunctionArn\}$|^arn:aws[a-z-]*:lambda:/.test(
    state.Resource,
  );

/** The text that names the function a state invokes. */
function functionOf(state: State): string {
  if (!isLambda(state)) return '';
  const name = (state.Arguments as { FunctionName?: unknown } | undefined)?.FunctionName;
  return `${String(state.Resource)} ${typeof name === 'string' ? name : ''}`;
}

const isFinish = (state: State): boolean => functionOf(state).includes('${FinishFunctionArn}');
const catchesAll = (state: State): boolean =>
  (state.Catch ?? []).some(({ ErrorEquals }) => ErrorEquals?.includes('States.ALL'));

function checkBegin(machine: Required<Scope>, report: Report): Finding[] {
  const first = machine.States[machine.StartAt];
  if (machine.StartAt === 'Begin' && first && functionOf(first).includes('${BeginFunctionArn}')) return [];
  return [
    report(
      ['StartAt'],
      'begin-not-first',
      'The first state must be `Begin`, which invokes ${BeginFunctionArn}.',
    ),
  ];
}

/** Follows every transition from the start; nothing may end before a state that invokes finish. */
function checkFinish(machine: Required<Scope>, report: Report): Finding[] {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  const visit = (name: string | undefined): void => {
    if (name === undefined || seen.has(name)) return;
    seen.add(name);
    const state = Object.hasOwn(machine.States, name) ? machine.States[name] : undefined;
    if (!state || isFinish(state)) return;
    if (state.End === true || state.Type === 'Succeed' || state.Type === 'Fail') {
      findings.push(
        report(
          ['States', name],
          'path-without-finish',
          `The machine can end in ${name} without passing Finish: its job would never close.`,
        ),
      );
    }
    for (const next of [state.Next, state.Default, ...(state.Choices ?? []).map((rule) => rule.Next)])
      visit(next);
    for (const catcher of state.Catch ?? []) visit(catcher.Next);
  };
  visit(machine.StartAt);
  return findings;
}

const PLACEHOLDER = /\$\{([^}]*)\}?/g;
const WELL_FORMED = /^[A-Za-z][A-Za-z0-9]*$/;

function checkPlaceholders(
  entry: WorkflowEntry,
  machine: object,
  report: Report,
  inEntry: Report,
): Finding[] {
  const map = placeholdersOf(entry, { functionArn: () => '', bucketName: '', machineArn: () => '' });
  const used = new Set<string>();
  const unknown: { name: string; path: Path }[] = [];
  const findings: Finding[] = [];
  for (const { path, text } of textsOf(machine, [])) {
    for (const [whole, name = ''] of text.matchAll(PLACEHOLDER)) {
      if (Object.hasOwn(map, name)) used.add(name);
      else if (WELL_FORMED.test(name) && whole.endsWith('}')) unknown.push({ name, path });
      else
        findings.push(
          report(
            path,
            'stray-placeholder',
            `"${whole.slice(0, 40)}" would be taken for a placeholder on AWS: write it otherwise.`,
          ),
        );
    }
  }
  const unused = new Set(
    Object.keys(entry.tasks).filter((task) => !used.has(`${pascalCase(task)}FunctionArn`)),
  );
  for (const { name, path } of unknown) {
    // A misspelling and the task it leaves unused are one fault.
    const meant = nearest(name, Object.keys(map));
    const task = [...unused].find((candidate) => meant === `${pascalCase(candidate)}FunctionArn`);
    if (task !== undefined) unused.delete(task);
    const hint = meant === undefined ? '' : ` Did you mean \${${meant}}?`;
    findings.push(
      report(path, 'unknown-placeholder', `\${${name}} is no placeholder of ${entry.name}.${hint}`),
    );
  }
  for (const task of unused) {
    findings.push(
      inEntry(['tasks', task], 'unused-task', `No state invokes \${${pascalCase(task)}FunctionArn}.`),
    );
  }
  return findings;
}

/** Every text of a definition, names of members too. */
function* textsOf(value: unknown, path: Path): Generator<{ path: Path; text: string }> {
  if (typeof value === 'string') yield { path, text: value };
  else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      const at = [...path, Array.isArray(value) ? Number(name) : name];
      if (name.includes('${')) yield { path: at, text: name };
      yield* textsOf(member, at);
    }
  }
}

/** The candidate at the smallest edit distance, if that is at most a third of the name. */
function nearest(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name, candidate);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
