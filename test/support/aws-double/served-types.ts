import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The resource types that docs/deploy.md says an endpoint must serve: lines such as `- AWS::S3::Bucket` between two markers. */
export function documentedTypes(): string[] {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/deploy.md'), 'utf8');
  const list = /<!-- resource types -->([\s\S]*?)<!-- end -->/.exec(page)?.[1] ?? '';
  return [...list.matchAll(/`(AWS::[A-Za-z0-9:]+)`/g)].map(([, type]) => type!);
}

/** Those of `cdk bootstrap`, made by the CDK command itself. */
const BOOTSTRAP = new Set([
  'AWS::ECR::Repository',
  'AWS::IAM::ManagedPolicy',
  'AWS::IAM::Policy',
  'AWS::IAM::Role',
  'AWS::KMS::Alias',
  'AWS::KMS::Key',
  'AWS::S3::Bucket',
  'AWS::S3::BucketPolicy',
  'AWS::SSM::Parameter',
]);

/** What each stack may have: the documented types, and the bootstrap stack its own. */
export const servedTypes = (stack: string): ReadonlySet<string> =>
  stack === 'CDKToolkit' ? BOOTSTRAP : new Set(documentedTypes());
