import { CfnOutput, Fn, type Stack } from 'aws-cdk-lib';

/** What every stack needs of the data stack, as text that resolves at deployment. */
export interface SharedValues {
  bucketName: string;
  bucketArn: string;
  tableName: string;
  tableArn: string;
  startsUrl: string;
  startsArn: string;
  alarmTopicArn: string;
}

const exportName = (stage: string, value: keyof SharedValues): string => `agentmill-${stage}-${value}`;

/** Exports the values under conventional names. Only the data stack exports; what it once exported stays. */
export function exportShared(stack: Stack, stage: string, values: SharedValues): void {
  for (const [name, value] of Object.entries(values) as [keyof SharedValues, string][]) {
    new CfnOutput(stack, `Export${name[0]!.toUpperCase()}${name.slice(1)}`, {
      value,
      exportName: exportName(stage, name),
    });
  }
}

/** The values as another stack imports them. */
export function importShared(stage: string): SharedValues {
  const value = (name: keyof SharedValues): string => Fn.importValue(exportName(stage, name));
  return {
    bucketName: value('bucketName'),
    bucketArn: value('bucketArn'),
    tableName: value('tableName'),
    tableArn: value('tableArn'),
    startsUrl: value('startsUrl'),
    startsArn: value('startsArn'),
    alarmTopicArn: value('alarmTopicArn'),
  };
}
