/** `agentmill models list|test|probe` as functions that return data, text and exit code (model-inference section 13). */
export { listModels, type ModelRow } from './list.ts';
export { probeModel, type ProbeData } from './probe.ts';
export { testModel, type CaseResult, type TestData } from './test.ts';
export type { Report } from './report.ts';
