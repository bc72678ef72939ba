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
    const modelSpend = ({ name, provider }: ModelEntry, over: Duration): Metric =>
      new Metric({
        namespace: 'Agentmill/Inference',
        metricName: 'CostMicros',
        dimensionsMap: { model: name, provider },
        statistic: 'Sum',
        period: over,
        label: name,
      });
    const byModel = models.map((model) => modelSpend(model, period));
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
    const topic = Topic.fromTopicArn(this, 'Alarms', props.shared.alarmTopicArn);
    const alarm = (id: string, description: string, metrics: Metric[]): void => {
      if (metrics.length === 0) return;
      alarmAbove(this, id, {
        description: `${description} Runbook: docs/runbooks/cost-spike.md`,
        metric: new MathExpression({
          label: 'micro-dollars an hour',
          period: Duration.hours(1),
          expression: `SUM([${metrics.map((_, i) => `m${i}`).join(', ')}])`,
          usingMetrics: Object.fromEntries(metrics.map((metric, i) => [`m${i}`, metric])),
        }),
        threshold: context.hourlySpendMicroUsd,
        topic,
      });
    };
    // An expression of an alarm takes ten metrics; the dearest workflows come first in the catalog.
    const jobs = spend(Duration.hours(1)).slice(0, 10);
    alarm('HourlySpend', 'The jobs of an hour cost more than the stage expects.', jobs);
    // Jobs are counted when they end; calls at once.
    const priced = models.filter(({ billing }) => billing !== 'free').slice(0, 10);
    const calls = priced.map((model) => modelSpend(model, Duration.hours(1)));
    alarm('HourlyModelSpend', 'Model calls cost more an hour than the stage expects.', calls);
  }
}
