import { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, ProjectionType, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import type { StageSettings } from '../stages.ts';

/** The one records table with its two job indexes (infra-api-cli section 3). */
export class Records extends Construct {
  readonly table: Table;

  constructor(scope: Construct, id: string, props: { settings: StageSettings; key: IKey | undefined }) {
    super(scope, id);
    const text = (name: string) => ({ name, type: AttributeType.STRING });
    this.table = new Table(this, 'Table', {
      partitionKey: text('pk'),
      sortKey: text('sk'),
      billingMode: BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      timeToLiveAttribute: 'ttl',
      deletionProtection: props.settings.protect,
      removalPolicy: RemovalPolicy.RETAIN,
      ...(props.key
        ? { encryption: TableEncryption.CUSTOMER_MANAGED, encryptionKey: props.key }
        : { encryption: TableEncryption.AWS_MANAGED }),
    });
    for (const index of ['gsi1', 'gsi2']) {
      this.table.addGlobalSecondaryIndex({
        indexName: index,
        partitionKey: text(`${index}pk`),
        sortKey: text(`${index}sk`),
        projectionType: ProjectionType.ALL,
      });
    }
  }
}
