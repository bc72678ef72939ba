import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Dashboard, GraphWidget, MathExpression, Metric, TextWidget } from 'aws-cdk-lib/aws-cloudwatch';
import { Topic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import type { ModelEntry } from '#shared/models/types.ts';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { alarmAbove } from '../constructs/machine-alarms.ts';
import type { Context } from '../context.ts';
import { machineName, queueName } from '../names.ts';
import type { SharedValues } from '../shared-values.ts';

export interface OpsStackProps extends StackProps {
  context: Context;
  catalog: readonly WorkflowEntry[];
  models: readonly ModelEntry[];
  shared: SharedValues;
}

/** The overview dashboard and the alarms on money. */
export class OpsStack extends Stack {
  constructor(scope: Construct, id: string, props: OpsStackProps) {
    super(scope, id, props);
    const { context, catalog, models } = props;
    const period = Duration.minutes(5);
    const queue = (name: string, metricName: string): Metric =>
      new Metric({
        namespace: 'AWS/SQS',
        metricName,
        dimensionsMap: { QueueName: queueName(context.stage, name) },
        statistic: 'Maximum',
        period,
        label: `${name} ${metricName}`,
      });
    const spend = (over: Duration): Metric[] =>
      catalog.map(
        ({ name }) =>
          new Metric({
            namespace: 'Agentmill',
            metricName: 'MicroUsd',
            // Counted by the last task of each job.
            dimensionsMap: { stage: context.stage, workflow: name, task: 'finish' },
            statistic: 'Sum',
            period: over,
            label: name,
          }),
      );
    const byModel = models.map(
      (model) =>
        new Metric({
          namespace: 'Agentmill/Inference',
          metricName: 'CostMicros',
          dimensionsMap: { model: model.name, provider: model.provider },
          statistic: 'Sum',
          period,
          label: model.name,
        }),
    );
    new Dashboard(this, 'Overview', {
      dashboardName: machineName(context.stage, 'overview'),
      widgets: [
        [
          new TextWidget({
            markdown: `# Agentmill ${context.stage}\nOne dashboard a workflow: ${catalog.map(({ name }) => machineName(context.stage, name)).join(', ')}`,
            width: 24,
            height: 2,
          }),
        ],
        [
          new GraphWidget({
            title: 'Queues',
            width: 12,
            left: ['starts', 'results'].flatMap((name) => [
              queue(name, 'ApproximateNumberOfMessagesVisible'),
              queue(`${name}-dlq`, 'ApproximateNumberOfMessagesVisible'),
            ]),
          }),
          new GraphWidget({ title: 'Spend by workflow, micro-dollars', width: 12, left: spend(period) }),
        ],
        ...(byModel.length > 0
          ? [[new GraphWidget({ title: 'Spend by model, micro-dollars', width: 24, left: byModel })]]
          : []),
      ],
    });
    const hourly = spend(Duration.hours(1));
    if (hourly.length > 0) {
      alarmAbove(this, 'HourlySpend', {
        description: 'Models cost more an hour than the stage expects. Runbook: docs/runbooks/cost-spike.md',
        metric: new MathExpression({
          label: 'micro-dollars an hour',
          period: Duration.hours(1),
          // An expression of an alarm takes ten metrics; the dearest workflows come first in the catalog.
          expression: `SUM([${hourly
            .slice(0, 10)
            .map((_, i) => `m${i}`)
            .join(', ')}])`,
          usingMetrics: Object.fromEntries(hourly.slice(0, 10).map((metric, i) => [`m${i}`, metric])),
        }),
        threshold: context.hourlySpendMicroUsd,
        topic: Topic.fromTopicArn(this, 'Alarms', props.shared.alarmTopicArn),
      });
    }
  }
}
