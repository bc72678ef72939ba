import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import { Topic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { Workflow } from '../constructs/workflow.ts';
import type { Context } from '../context.ts';
import type { Resources } from '../iam.ts';
import type { SharedValues } from '../shared-values.ts';
import type { StageSettings } from '../stages.ts';

export interface WorkflowStackProps extends StackProps {
  context: Context;
  settings: StageSettings;
  entry: WorkflowEntry;
  /** The stack's own view of the platform's resources. */
  resources(stack: Stack, workflow: string): Resources;
  environment: Record<string, string>;
  shared: SharedValues;
}

/** One workflow; nothing else refers to it but by conventional names. */
export class WorkflowStack extends Stack {
  readonly workflow: Workflow;

  constructor(scope: Construct, id: string, props: WorkflowStackProps) {
    super(scope, id, props);
    const { entry } = props;
    this.workflow = new Workflow(this, 'Workflow', {
      ...props,
      bucketName: props.shared.bucketName,
      alarmTopic: Topic.fromTopicArn(this, 'Alarms', props.shared.alarmTopicArn),
      resources: props.resources(this, entry.name),
    });
    new CfnOutput(this, 'LiveAlias', {
      value: this.workflow.alias.attrArn,
      description: `Starts ${entry.name}`,
    });
    new CfnOutput(this, 'DashboardName', { value: this.workflow.dashboard.dashboardName });
  }
}
