import { MAX_RETRY_DELAY_SECONDS, MAX_SECONDS } from '../limits.ts';
import type { Catcher, Retrier } from '../types.ts';
import type { StateContext } from './context.ts';
import { below } from './diagnostics.ts';
import type { Fields } from './fields.ts';

/** Reserved names that a retrier or catcher may match. */
const RESERVED = new Set(
  [
    'ALL',
    'BranchFailed',
    'DataLimitExceeded',
    'ExceedToleratedFailureThreshold',
    'HeartbeatTimeout',
    'Http.Socket',
    'IntrinsicFailure',
    'ItemReaderFailed',
    'NoChoiceMatched',
    'ParameterPathFailure',
    'Permissions',
    'QueryEvaluationError',
    'ResultPathMatchFailure',
    'ResultWriterFailed',
    'Runtime',
    'TaskFailed',
    'Timeout',
  ].map((name) => `States.${name}`),
);

/** What is wrong with a name a user gives to an error, or undefined. */
export const userErrorProblem = (name: string): string | undefined =>
  name.startsWith('States.') ? "must not start with 'States.', which is reserved" : undefined;

/** The `Retry` of a state. */
export function retriers(fields: Fields): Retrier[] {
  const list = fields.children('Retry');
  return list.map((one, index) => {
    one.only([
      'ErrorEquals',
      'IntervalSeconds',
      'BackoffRate',
      'MaxAttempts',
      'MaxDelaySeconds',
      'JitterStrategy',
      'Comment',
    ]);
    one.text('Comment');
    const maxDelaySeconds = one.number('MaxDelaySeconds', {
      min: 1,
      max: MAX_RETRY_DELAY_SECONDS,
      integer: true,
    });
    return {
      errorEquals: errorNames(one, index === list.length - 1),
      intervalSeconds: one.number('IntervalSeconds', { min: 1, max: MAX_SECONDS, integer: true }) ?? 1,
      backoffRate: one.number('BackoffRate', { min: 1, max: Infinity, integer: false }) ?? 2,
      maxAttempts: one.number('MaxAttempts', { min: 0, max: MAX_SECONDS, integer: true }) ?? 3,
      ...(maxDelaySeconds === undefined ? {} : { maxDelaySeconds }),
      jitter: one.choice('JitterStrategy', ['NONE', 'FULL']) ?? 'NONE',
    };
  });
}

/** The `Catch` of a state. Their targets are checked with the state's other transitions. */
export function catchers(fields: Fields, context: StateContext): Catcher[] {
  const list = fields.children('Catch');
  return list.map((one, index) => {
    one.only(['ErrorEquals', 'Next', 'Assign', 'Output', 'Comment']);
    one.text('Comment');
    const options = { prefix: `Catch[${index}]/`, members: ['errorOutput'] as const };
    const assign = context.assign(one, { ...options, catcher: true });
    const output = context.template(one, 'Output', options);
    return {
      errorEquals: errorNames(one, index === list.length - 1),
      next: one.text('Next', { required: true }) ?? '',
      ...(assign ? { assign } : {}),
      ...(output ? { output } : {}),
    };
  });
}

function errorNames(fields: Fields, last: boolean): string[] {
  const value = fields.get('ErrorEquals');
  if (value === undefined) {
    fields.missing('ErrorEquals');
    return [];
  }
  if (!Array.isArray(value) || value.length === 0) {
    fields.refuse('ErrorEquals', "Field 'ErrorEquals' must be a non-empty array of error names");
    return [];
  }
  const names: string[] = [];
  value.forEach((name, index) => {
    const pointer = below(fields.at('ErrorEquals'), index);
    if (typeof name !== 'string' || name === '') {
      fields.diagnostics.schema(pointer, "Every element of 'ErrorEquals' must be an error name");
      return;
    }
    if (name.startsWith('States.') && !RESERVED.has(name)) {
      fields.diagnostics.schema(pointer, `The error name '${name}' is reserved and unknown`);
    }
    names.push(name);
  });
  if (names.includes('States.ALL')) {
    if (value.length > 1) fields.refuse('ErrorEquals', "'States.ALL' must be the only name in 'ErrorEquals'");
    if (!last) fields.refuse('ErrorEquals', "'States.ALL' must be in the last retrier or catcher");
  }
  return names;
}
