import { ArnFormat, Duration, RemovalPolicy, Size, Stack, Tags, type StackProps } from 'aws-cdk-lib';
import {
  FlowLog,
  FlowLogDestination,
  FlowLogResourceType,
  SubnetType,
  Vpc,
  type IVpc,
} from 'aws-cdk-lib/aws-ec2';
import { Repository } from 'aws-cdk-lib/aws-ecr';
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  DockerImageCode,
  DockerImageFunction,
  Function as LambdaFunction,
  Runtime,
  type FunctionOptions,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { services } from '#functions/services.ts';
import { bundledCode } from '../bundling.ts';
import type { Context } from '../context.ts';
import { functionName, logGroupName } from '../names.ts';
import { acknowledge } from '../nag.ts';
import type { StageSettings } from '../stages.ts';

/** What a function in a VPC needs to have a network interface at all; EC2 offers no resources for these. */
const INTERFACE_ACTIONS = [
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:AssignPrivateIpAddresses',
  'ec2:UnassignPrivateIpAddresses',
];

/**
 * `python` runs generated code, without a way out, without an environment and without permissions of its own: our own
 * bundle, or an image by digest that the context gives. `browser` renders pages, only from an image (infra-api-cli
 * sections 2 and 12; tool-library section 7).
 */
export class SandboxStack extends Stack {
  constructor(
    scope: Construct,
    id: string,
    props: StackProps & { context: Context; settings: StageSettings; python: boolean },
  ) {
    super(scope, id, props);
    const { images } = props.context;
    if (props.python || images.sandbox) {
      this.add(props, 'python', images.sandbox, this.isolatedVpc(props.settings));
    }
    if (images.browser) this.add(props, 'browser', images.browser, undefined);
  }

  /** No internet gateway, no NAT, no endpoints: packets have nowhere to go. */
  private isolatedVpc(settings: StageSettings): IVpc {
    // The class is wider than the interface only by optional members.
    const vpc = new Vpc(this, 'Isolated', {
      maxAzs: 2,
      natGateways: 0,
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [{ name: 'isolated', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 24 }],
    }) as IVpc;
    const logGroup = new LogGroup(this, 'FlowLogs', {
      retention: settings.logDays as RetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    new FlowLog(this, 'Flow', {
      resourceType: FlowLogResourceType.fromVpc(vpc),
      destination: FlowLogDestination.toCloudWatchLogs(logGroup),
    });
    return vpc;
  }

  private add(
    { context, settings }: { context: Context; settings: StageSettings },
    task: 'python' | 'browser',
    image: string | undefined,
    vpc: IVpc | undefined,
  ): void {
    const logGroup = new LogGroup(this, `${task}Logs`, {
      logGroupName: logGroupName(context.stage, 'sandbox', task),
      retention: settings.logDays as RetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(this, `${task}Role`, {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `Logs only: what runs in the ${task} function is hostile`,
    });
    logGroup.grantWrite(role);
    const name = functionName(context.stage, 'sandbox', task);
    if (vpc) {
      const arn = this.formatArn({
        service: 'lambda',
        resource: 'function',
        resourceName: name,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      });
      role.addToPolicy(
        new PolicyStatement({
          sid: 'Interface',
          effect: Effect.ALLOW,
          actions: INTERFACE_ACTIONS,
          resources: ['*'],
        }),
      );
      // The service makes the interface; the code inside, whose calls carry this ARN, may not.
      role.addToPolicy(
        new PolicyStatement({
          sid: 'NotTheCode',
          effect: Effect.DENY,
          actions: INTERFACE_ACTIONS,
          resources: ['*'],
          conditions: { ArnEquals: { 'lambda:SourceFunctionArn': arn } },
        }),
      );
      acknowledge(
        role,
        'AwsSolutions-IAM5[Resource::*]',
        'Network interfaces of a function in a VPC have no resources to name; the code itself is denied them.',
      );
    }
    const common = {
      functionName: name,
      description: `sandbox: ${task}`,
      memorySize: 2048,
      timeout: Duration.seconds(task === 'python' ? 330 : 120),
      ephemeralStorageSize: Size.mebibytes(512),
      role: role.withoutPolicyUpdates(),
      logGroup,
      ...(vpc
        ? { vpc, vpcSubnets: { subnetType: SubnetType.PRIVATE_ISOLATED }, allowAllOutbound: false }
        : {}),
    };
    const fn =
      image === undefined
        ? new LambdaFunction(this, `${task}Function`, {
            ...common,
            runtime: Runtime.NODEJS_24_X,
            architecture: Architecture.ARM_64,
            handler: 'index.handler',
            code: bundledCode(services.sandbox),
          })
        : this.fromImage(`${task}Function`, task, image, common);
    Tags.of(fn).add('agentmill:component', task);
  }

  private fromImage(id: string, task: string, image: string, common: FunctionOptions): DockerImageFunction {
    const { repositoryArn, repositoryName, digest } = parseImage(this, image);
    return new DockerImageFunction(this, id, {
      ...common,
      code: DockerImageCode.fromEcr(
        Repository.fromRepositoryAttributes(this, `${task}Images`, { repositoryArn, repositoryName }),
        { tagOrDigest: digest },
      ),
    });
  }
}

/** `<account>.dkr.ecr.<region>.amazonaws.com/<repository>@sha256:<digest>`. @throws Error naming the context field. */
function parseImage(stack: Stack, image: string) {
  const match = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.[^/]+\/([^@:]+)@(sha256:[0-9a-f]{64})$/.exec(image);
  if (!match) {
    throw new Error(
      `The context "agentmill": images: "${image}" is no ECR image by digest (…/name@sha256:…).`,
    );
  }
  const [, account, region, repositoryName, digest] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
  ];
  return {
    repositoryArn: `arn:${stack.partition}:ecr:${region}:${account}:repository/${repositoryName}`,
    repositoryName,
    digest,
  };
}
