/** The language of state machines: validation and compilation of definitions, evaluation of their expressions. */
export { compile, validateDefinitionText, type Compilation } from './compile.ts';
export { evaluate, QUERY_EVALUATION_ERROR } from './evaluate.ts';
export { checkResult, evaluateAs, resultTypes, typeName, type ResultType } from './results.ts';
export { compileState, LONE_STATE_NAME, refuseTestState, type TestStateRefusal } from './test-state.ts';
export { parseResource } from './validation/resources.ts';
export * from './types.ts';
