import { Duration, RemovalPolicy, Size, Tags } from 'aws-cdk-lib';
import { ManagedPolicy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  Function as LambdaFunction,
  Runtime,
  Tracing,
  type CfnFunction,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { Bundle } from '#functions/bundling.ts';
import { bundledCode } from '../bundling.ts';
import type { Context } from '../context.ts';
import { alwaysStatements, type StatementSpec } from '../iam.ts';
import { functionName, logGroupName } from '../names.ts';
import { acknowledge, addStatement } from '../nag.ts';
import type { StageSettings } from '../stages.ts';

export interface TaskProps extends Bundle {
  context: Context;
  settings: StageSettings;
  /** Workflow folder, or the name of the service that owns the function. */
  workflow: string;
  task: string;
  memoryMb: number;
  timeoutSeconds: number;
  ephemeralMb?: number;
  architecture?: 'arm64' | 'x86_64';
  statements: StatementSpec[];
  environment: Record<string, string>;
  /** Runs inside the context's VPC, for private model servers. */
  inVpc?: boolean;
}

/** One Lambda function: its own role, its own log group, tracing, and nothing it did not declare. */
export class Task extends Construct {
  readonly fn: LambdaFunction;
  readonly role: Role;

  constructor(scope: Construct, id: string, props: TaskProps) {
    super(scope, id);
    const { context, settings } = props;
    const logGroup = new LogGroup(this, 'Logs', {
      logGroupName: logGroupName(context.stage, props.workflow, props.task),
      retention: settings.logDays as RetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const vpc = props.inVpc ? context.vpc : undefined;
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `What ${props.workflow}/${props.task} may do`,
      ...(vpc
        ? {
            managedPolicies: [
              ManagedPolicy.fromAwsManagedPolicyName('service-role/AWSLambdaVPCAccessExecutionRole'),
            ],
          }
        : {}),
    });
    logGroup.grantWrite(this.role);
    for (const spec of [...alwaysStatements(), ...props.statements]) addStatement(this.role, spec);
    this.fn = new LambdaFunction(this, 'Function', {
      functionName: functionName(context.stage, props.workflow, props.task),
      description: `${props.workflow}: ${props.task}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: props.architecture === 'x86_64' ? Architecture.X86_64 : Architecture.ARM_64,
      handler: 'index.handler',
      code: bundledCode(props),
      memorySize: props.memoryMb,
      timeout: Duration.seconds(props.timeoutSeconds),
      ephemeralStorageSize: Size.mebibytes(props.ephemeralMb ?? 512),
      role: this.role.withoutPolicyUpdates(),
      // Executions that began before a deployment, and a rolled back alias, name the versions of their own day.
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN },
      logGroup,
      tracing: Tracing.ACTIVE,
      environment: {
        NODE_OPTIONS: '--enable-source-maps',
        AGENTMILL_STAGE: context.stage,
        ...props.environment,
      },
    });
    Tags.of(this).add('agentmill:component', props.task);
    if (vpc) {
      // The L2 wants a VPC construct with zones and route tables; the given ids are all that is needed.
      (this.fn.node.defaultChild as CfnFunction).vpcConfig = {
        subnetIds: vpc.subnetIds,
        securityGroupIds: vpc.securityGroupIds,
      };
      acknowledge(
        this.role,
        'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole]',
        'The network-interface statements a function in a VPC needs are exactly this AWS policy.',
      );
    }
  }
}
