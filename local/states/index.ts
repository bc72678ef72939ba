/** The embedded Step Functions: an interpreter of JSONata state machines on SQLite (embedded-platform sections 2 to 7). */
export { createEngine, type Engine, type EngineOptions } from './engine/engine.ts';
export type { MapRunDescription } from './engine/queries.ts';
export { executionArn, machineArn } from './engine/arns.ts';
export { isVirtual, VirtualClock, type VirtualTime } from './engine/virtual-clock.ts';
export {
  FunctionNotFound,
  type Invoke,
  type InvocationContext,
  type InvokeOptions,
} from './resources/index.ts';
export { compile, validateDefinitionText, type Diagnostic, type ValidationResult } from './language/index.ts';
