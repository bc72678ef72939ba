import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Key, type IKey } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { Artifacts } from '../constructs/artifacts.ts';
import { DurableQueue } from '../constructs/durable-queue.ts';
import { Records } from '../constructs/records.ts';
import type { Context } from '../context.ts';
import { queueName, rulePrefix } from '../names.ts';
import { exportShared } from '../shared-values.ts';
import type { StageSettings } from '../stages.ts';

/** Time-out of triggers/start.ts, which takes messages off `starts`. */
export const START_TIMEOUT = Duration.seconds(60);

/** What must outlive every other stack; the only one whose values others import. */
export class DataStack extends Stack {
  readonly artifacts: Artifacts;
  readonly records: Records;
  readonly starts: DurableQueue;
  readonly alarmTopic: Topic;
  readonly key: IKey | undefined;

  constructor(
    scope: Construct,
    id: string,
    props: StackProps & { context: Context; settings: StageSettings; catalog: readonly WorkflowEntry[] },
  ) {
    super(scope, id, props);
    const { context, settings } = props;
    this.key = context.kms ? Key.fromKeyArn(this, 'Key', context.kms) : undefined;
    this.alarmTopic = new Topic(this, 'Alarms', {
      topicName: queueName(context.stage, 'alarms'),
      displayName: `Agentmill ${context.stage} alarms`,
      enforceSSL: true,
    });
    this.alarmTopic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AlarmsPublish',
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [this.alarmTopic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
      }),
    );
    if (context.alarmEmail) this.alarmTopic.addSubscription(new EmailSubscription(context.alarmEmail));
    this.artifacts = new Artifacts(this, 'Artifacts', {
      catalog: props.catalog,
      settings,
      corsOrigins: context.corsOrigins,
      key: this.key,
    });
    this.records = new Records(this, 'Records', { settings, key: this.key });
    this.starts = new DurableQueue(this, 'Starts', {
      queueName: queueName(context.stage, 'starts'),
      consumerTimeout: START_TIMEOUT,
      alarmTopic: this.alarmTopic,
    });
    exportShared(this, context.stage, {
      bucketName: this.artifacts.bucket.bucketName,
      bucketArn: this.artifacts.bucket.bucketArn,
      tableName: this.records.table.tableName,
      tableArn: this.records.table.tableArn,
      startsUrl: this.starts.queue.queueUrl,
      startsArn: this.starts.queue.queueArn,
      alarmTopicArn: this.alarmTopic.topicArn,
    });
    // The rules stand in the entry stack; named by their prefix, they need no reference back to this one.
    this.starts.queue.addToResourcePolicy(
      new PolicyStatement({
        sid: 'RulesSend',
        principals: [new ServicePrincipal('events.amazonaws.com')],
        actions: ['sqs:SendMessage'],
        resources: [this.starts.queue.queueArn],
        conditions: {
          ArnLike: {
            'aws:SourceArn': this.formatArn({
              service: 'events',
              resource: 'rule',
              resourceName: `${rulePrefix(context.stage)}*`,
            }),
          },
        },
      }),
    );
  }
}
