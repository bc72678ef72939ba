import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  HttpMethods,
  ObjectOwnership,
  type CfnBucket,
  type IBucket,
  type LifecycleRule,
} from 'aws-cdk-lib/aws-s3';
import type { WorkflowEntry } from '#shared/task/catalog.ts';
import { Construct } from 'constructs';
import type { StageSettings } from '../stages.ts';

const DAY_RULES: { prefix: string; days: number }[] = [
  { prefix: 'uploads/', days: 30 },
  { prefix: 'mapruns/', days: 30 },
  { prefix: 'async/out/', days: 7 },
  { prefix: 'async/fail/', days: 7 },
  { prefix: 'cache/', days: 180 },
];

/** The lifecycle rules of the layout in infra-api-cli section 3: fixed prefixes, and each workflow's retention. */
export function lifecycleRules(
  catalog: readonly Pick<WorkflowEntry, 'name' | 'retention'>[],
): LifecycleRule[] {
  const expire = (
    id: string,
    prefix: string,
    days: number,
    tagFilters?: Record<string, string>,
  ): LifecycleRule => ({
    id,
    prefix,
    expiration: Duration.days(days),
    ...(tagFilters ? { tagFilters } : {}),
  });
  return [
    {
      id: 'tidy',
      abortIncompleteMultipartUploadAfter: Duration.days(3),
      noncurrentVersionExpiration: Duration.days(30),
      // What an expired object leaves behind once its old versions are gone.
      expiredObjectDeleteMarker: true,
    },
    expire('ingest', 'ingest/', 90),
    ...DAY_RULES.map(({ prefix, days }) => expire(prefix.replace(/\/$/, '').replace('/', '-'), prefix, days)),
    ...catalog.flatMap(({ name, retention }) => [
      ...(retention.workDays === null
        ? []
        : [expire(`work-${name}`, `jobs/${name}.`, retention.workDays, { keep: 'work' })]),
      ...(retention.outputDays === null
        ? []
        : [expire(`output-${name}`, `jobs/${name}.`, retention.outputDays, { keep: 'output' })]),
    ]),
  ];
}

/** The artifacts bucket and the bucket of its access logs. */
export class Artifacts extends Construct {
  readonly bucket: Bucket;

  constructor(
    scope: Construct,
    id: string,
    props: {
      catalog: readonly WorkflowEntry[];
      settings: StageSettings;
      corsOrigins: string[];
      key: IKey | undefined;
    },
  ) {
    super(scope, id);
    const guarded = {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: RemovalPolicy.RETAIN,
    };
    const logs = new Bucket(this, 'AccessLogs', {
      ...guarded,
      encryption: BucketEncryption.S3_MANAGED,
      lifecycleRules: [{ id: 'expire', expiration: Duration.days(90) }],
    });
    this.bucket = new Bucket(this, 'Bucket', {
      ...guarded,
      versioned: true,
      ...(props.key
        ? { encryption: BucketEncryption.KMS, encryptionKey: props.key, bucketKeyEnabled: true }
        : { encryption: BucketEncryption.S3_MANAGED }),
      // The class is wider than the interface only by optional members.
      serverAccessLogsBucket: logs as IBucket,
      serverAccessLogsPrefix: 'artifacts/',
      lifecycleRules: lifecycleRules(props.catalog),
      ...(props.corsOrigins.length > 0
        ? {
            cors: [
              {
                allowedMethods: [HttpMethods.GET, HttpMethods.PUT],
                allowedOrigins: props.corsOrigins,
                allowedHeaders: ['content-type', 'x-amz-checksum-sha256'],
                maxAge: 3600,
              },
            ],
          }
        : {}),
    });
    // The L2 switch for EventBridge is a custom resource with a function of its own; the property is enough.
    (this.bucket.node.defaultChild as CfnBucket).addPropertyOverride(
      'NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled',
      true,
    );
  }
}
