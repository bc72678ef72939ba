import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Queue, QueueEncryption, RedrivePermission } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

/** A queue whose messages are never lost silently: five receives, then a dead-letter queue that rings (infra-api-cli section 3). */
export class DurableQueue extends Construct {
  readonly queue: Queue;
  readonly deadLetters: Queue;

  constructor(
    scope: Construct,
    id: string,
    props: { queueName: string; consumerTimeout: Duration; alarmTopic: ITopic },
  ) {
    super(scope, id);
    const common = {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      removalPolicy: RemovalPolicy.DESTROY,
    };
    this.deadLetters = new Queue(this, 'DeadLetters', { ...common, queueName: `${props.queueName}-dlq` });
    this.queue = new Queue(this, 'Queue', {
      ...common,
      queueName: props.queueName,
      // Six consumer time-outs: retries inside one consumer never overlap a second delivery.
      visibilityTimeout: Duration.seconds(props.consumerTimeout.toSeconds() * 6),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: 5 },
      redriveAllowPolicy: { redrivePermission: RedrivePermission.DENY_ALL },
    });
    const rings = new SnsAction(props.alarmTopic);
    new Alarm(this, 'DeadLetterAlarm', {
      alarmDescription: `Messages of ${props.queueName} could not be handled. Runbook: docs/runbooks/dlq.md`,
      metric: this.deadLetters.metricApproximateNumberOfMessagesVisible({
        period: Duration.minutes(1),
        statistic: 'max',
      }),
      threshold: 0,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    }).addAlarmAction(rings);
    new Alarm(this, 'AgeAlarm', {
      alarmDescription: `The oldest message of ${props.queueName} is over 10 minutes old. Runbook: docs/runbooks/throttling.md`,
      metric: this.queue.metricApproximateAgeOfOldestMessage({
        period: Duration.minutes(1),
        statistic: 'max',
      }),
      threshold: 600,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: 3,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    }).addAlarmAction(rings);
  }
}
