import { Duration } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  MathExpression,
  TreatMissingData,
  type IMetric,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import type { Construct } from 'constructs';

/** An alarm that rings the stage's topic when a metric passes a threshold once. */
export function alarmAbove(
  scope: Construct,
  id: string,
  props: {
    description: string;
    metric: IMetric;
    threshold: number;
    topic: ITopic;
    name?: string;
    periods?: number;
  },
): Alarm {
  const alarm = new Alarm(scope, id, {
    ...(props.name ? { alarmName: props.name } : {}),
    alarmDescription: props.description,
    metric: props.metric,
    threshold: props.threshold,
    comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
    evaluationPeriods: props.periods ?? 1,
    treatMissingData: TreatMissingData.NOT_BREACHING,
  });
  alarm.addAlarmAction(new SnsAction(props.topic));
  return alarm;
}

/** Sum of a metric over functions; CloudWatch expressions take ten metrics, so larger sets are summed in groups. */
function sumOver(functions: readonly IFunction[], kind: 'Errors' | 'Invocations', period: Duration): IMetric {
  const metrics: IMetric[] = functions.map((fn) => fn.metric(kind, { period, statistic: 'Sum' }));
  if (metrics.length === 1) return metrics[0]!;
  const prefix = kind[0]!.toLowerCase();
  return new MathExpression({
    label: kind,
    period,
    expression: `SUM([${metrics.map((_, i) => `${prefix}${i}`).join(', ')}])`,
    usingMetrics: Object.fromEntries(metrics.map((metric, i) => [`${prefix}${i}`, metric])),
  });
}

/** The alarms of one workflow (infra-api-cli section 13). Returns those that roll a deployment back. */
export function machineAlarms(
  scope: Construct,
  props: {
    workflow: string;
    prefix: string;
    machine: StateMachine;
    functions: readonly IFunction[];
    topic: ITopic;
  },
): Alarm[] {
  const { machine, workflow, topic, prefix } = props;
  const period = Duration.minutes(5);
  const endings = [
    ['Failed', 'failed', machine.metricFailed({ period })],
    ['TimedOut', 'timed out', machine.metricTimedOut({ period })],
    ['Aborted', 'were aborted', machine.metricAborted({ period })],
  ] as const;
  const failures = endings.map(([id, verb, metric]) =>
    alarmAbove(scope, `${id}Alarm`, {
      name: `${prefix}-${id.toLowerCase()}`,
      description: `Executions of ${workflow} ${verb}. Runbook: docs/runbooks/stuck-job.md`,
      metric,
      threshold: 0,
      topic,
    }),
  );
  alarmAbove(scope, 'ThrottledAlarm', {
    description: `Step Functions throttles ${workflow}. Runbook: docs/runbooks/throttling.md`,
    metric: machine.metricThrottled({ period }),
    threshold: 0,
    topic,
  });
  // CloudWatch refuses alarms on more than ten metrics: five functions an alarm.
  for (let i = 0; i < props.functions.length; i += 5) {
    const group = props.functions.slice(i, i + 5);
    alarmAbove(scope, `TaskErrorsAlarm${i / 5}`, {
      description: `Over 5 % of task invocations of ${workflow} fail. Runbook: docs/runbooks/stuck-job.md`,
      metric: new MathExpression({
        label: 'task errors, %',
        period,
        expression: '100 * errors / IF(calls > 0, calls, 1)',
        usingMetrics: {
          errors: sumOver(group, 'Errors', period),
          calls: sumOver(group, 'Invocations', period),
        },
      }),
      threshold: 5,
      topic,
    });
  }
  return failures;
}
