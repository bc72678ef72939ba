import type { WorkflowEntry } from '#shared/task/catalog.ts';
import datasetSynthesis from './dataset-synthesis/workflow.ts';
import deepResearch from './deep-research/workflow.ts';
import researchQuestions from './research-questions/workflow.ts';
import toolLibrary from './tool-library/workflow.ts';

/** Every workflow of the platform. A new one is its folder, its state machine and a line here. */
export const catalog: WorkflowEntry[] = [
  datasetSynthesis as WorkflowEntry,
  toolLibrary as WorkflowEntry,
  deepResearch as WorkflowEntry,
  researchQuestions as WorkflowEntry,
];
