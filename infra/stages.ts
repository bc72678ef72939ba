import type { Context } from './context.ts';

/** All that differs between a development and a production stage. */
export interface StageSettings {
  /** Deletion protection of the table and termination protection of stacks. */
  protect: boolean;
  /** Whether Step Functions logs carry execution data; job input may be private. */
  logExecutionData: boolean;
  /** Whether machine versions pin published function versions. */
  pinVersions: boolean;
  logDays: number;
}

const SETTINGS: Record<'dev' | 'prod', StageSettings> = {
  dev: { protect: false, logExecutionData: true, pinVersions: false, logDays: 30 },
  prod: { protect: true, logExecutionData: false, pinVersions: true, logDays: 30 },
};

/** The settings of a stage: a stage named `prod` is one, any other is `dev` unless the context says otherwise. */
export function settingsOf(context: Context): StageSettings {
  return SETTINGS[context.profile ?? (context.stage === 'prod' ? 'prod' : 'dev')];
}
