import { entryModule, type WorkflowEntry } from '#shared/task/catalog.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import { createFunctionHost, type FunctionHost, type HostedFunction } from './function-host.ts';
import { taskFunctionName } from './function-names.ts';
import { FUNCTIONS_ROOT, type Handler, importHandler } from './modules.ts';

export { FunctionError } from './errors.ts';
export {
  createFunctionHost,
  type FunctionContext,
  type FunctionHost,
  type FunctionHostOptions,
  type HostedFunction,
  type HostStats,
  type InvokeOptions,
} from './function-host.ts';
export { functionArn, functionCandidates, taskFunctionName } from './function-names.ts';
export type { Handler } from './modules.ts';
export { INVOKE_PAYLOAD_BYTES, STATE_PAYLOAD_BYTES } from './payload.ts';

export interface TaskHostOptions {
  catalog: readonly Pick<WorkflowEntry, 'name' | 'tasks'>[];
  runtime: Runtime;
  /** Where the catalog's modules are. Default: functions/ of this checkout. */
  modulesRoot?: string;
  /** Plain functions beside the catalog's, by name. */
  extraFunctions?: Record<string, Handler>;
  /** As createFunctionHost. */
  graceMs?: number;
}

/** A runtime that also says which task it serves, as the environment of its Lambda would. */
function taskRuntime(runtime: Runtime, workflow: string, task: string): Runtime {
  const env = { ...runtime.env, AGENTMILL_WORKFLOW: workflow, AGENTMILL_TASK: task };
  return Object.create(runtime, { env: { value: env, enumerable: true } }) as Runtime;
}

/**
 * Hosts every task of a catalog in this process, under the names `agentmill-<workflow>-<task>`: the same modules that
 * are bundled for Lambda, imported at their first invocation, with the given ports.
 */
export function createTaskHost(options: TaskHostOptions): FunctionHost {
  const { runtime, modulesRoot = FUNCTIONS_ROOT } = options;
  const functions: Record<string, HostedFunction> = {};
  for (const entry of options.catalog) {
    for (const [task, description] of Object.entries(entry.tasks)) {
      functions[taskFunctionName(entry.name, task)] = {
        load: () => importHandler(entryModule(entry.name, description), modulesRoot),
        timeoutSeconds: description.timeoutSeconds,
        memoryMb: description.memoryMb,
        runtime: taskRuntime(runtime, entry.name, task),
        ...(description.maxConcurrency === undefined ? {} : { maxConcurrency: description.maxConcurrency }),
      };
    }
  }
  for (const [name, handler] of Object.entries(options.extraFunctions ?? {})) {
    functions[name] = { load: async () => handler, runtime };
  }
  return createFunctionHost({
    functions,
    ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
    onLateError: (functionName, error) => {
      const line = { level: 'error', message: 'An error after its task had ended.', functionName };
      runtime.writeLog(JSON.stringify({ ...line, error: { name: error.name, message: error.message } }));
    },
  });
}
