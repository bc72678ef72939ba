import { compile } from '#local/states/language/index.ts';
import type { Objects } from './objects.ts';
import type { Any, LiveResource } from './types.ts';
import { zipEntries } from './zip.ts';

/** What a service itself checks when a resource is made, beyond the schema of its properties. */
export interface Surroundings {
  objects: Objects;
  /** Whether a function's code was bundled, and so must hold its handler. */
  bundled(functionName: string): boolean;
  /** Everything of the account that is alive, this stack's earlier resources included. */
  live(): Iterable<LiveResource>;
}

type Check = (properties: Record<string, Any>, around: Surroundings, ref: string) => string[];

/** Unpacked bytes of a function. */
const MAX_UNPACKED = 262_144_000;
/** Characters of all inline policies of a role, and of a trust policy. */
const MAX_INLINE = 10_240;
const MAX_ENVIRONMENT = 4096;

const lambdaFunction: Check = (
  { Code, Handler, Environment, FunctionName, PackageType },
  { objects, bundled },
) => {
  if (PackageType === 'Image' || Code.ImageUri) return [];
  const bytes = objects.get(Code.S3Bucket, Code.S3Key);
  if (!bytes)
    return [`Error occurred while GetObject. S3 Error Code: NoSuchKey (${Code.S3Bucket}/${Code.S3Key})`];
  const problems: string[] = [];
  const files = zipEntries(bytes);
  const module = String(Handler).split('.')[0]!;
  const isThere = ['mjs', 'js', 'cjs'].some((extension) => files.has(`${module}.${extension}`));
  if (bundled(String(FunctionName)) && !isThere) {
    problems.push(
      `the code has no file for the handler ${Handler}: ${[...files.keys()].slice(0, 5).join(', ')}`,
    );
  }
  const unpacked = [...files.values()].reduce((sum, size) => sum + size, 0);
  if (unpacked > MAX_UNPACKED)
    problems.push(`Unzipped size must be smaller than ${MAX_UNPACKED} bytes, found ${unpacked}`);
  if (JSON.stringify(Environment?.Variables ?? {}).length > MAX_ENVIRONMENT)
    problems.push(`Lambda was unable to configure your environment variables: over ${MAX_ENVIRONMENT} bytes`);
  return problems;
};

const stateMachine: Check = (properties, { objects, live }) => {
  const { DefinitionS3Location: at, DefinitionString, DefinitionSubstitutions = {} } = properties;
  const text = at ? objects.get(at.Bucket, at.Key)?.toString('utf8') : DefinitionString;
  if (text === undefined) return [`The definition s3://${at?.Bucket}/${at?.Key} does not exist`];
  const bound = String(text).replace(
    /\$\{(\w+)\}/g,
    (all, name: string) => DefinitionSubstitutions[name] ?? all,
  );
  let definition: Any;
  try {
    definition = JSON.parse(bound);
  } catch (error) {
    return [`Invalid State Machine Definition: ${(error as Error).message}`];
  }
  const { diagnostics } = compile(definition);
  const problems = diagnostics
    .filter(({ severity }) => severity === 'ERROR')
    .map(
      ({ code, message, location }) =>
        `Invalid State Machine Definition: '${code}: ${message} at ${location}'`,
    );
  const functions = new Set<string>();
  for (const { type, attributes } of live()) {
    if (type === 'AWS::Lambda::Function') functions.add(String(attributes.Arn));
    if (type === 'AWS::Lambda::Version') functions.add(String(attributes.FunctionArn));
  }
  const named = new Set(bound.match(/arn:aws:lambda:[^"]+/g) ?? []);
  problems.push(
    ...[...named]
      .filter((arn) => !functions.has(arn))
      .map((arn) => `The definition names ${arn}, which does not exist`),
  );
  return problems;
};

const statementProblems = (document: Any, needsResource: boolean): string[] =>
  [document?.Statement].flat().flatMap((statement: Any) => {
    const ok =
      ['Allow', 'Deny'].includes(statement?.Effect) &&
      (statement.Action ?? statement.NotAction) !== undefined &&
      (!needsResource || (statement.Resource ?? statement.NotResource) !== undefined);
    return ok ? [] : [`Syntax errors in policy: ${JSON.stringify(statement)?.slice(0, 200)}`];
  });

const policy: Check = ({ PolicyDocument, Roles = [] }, { live }, ref) => {
  const problems = statementProblems(PolicyDocument, true);
  const everything = [...live()];
  for (const role of Roles) {
    if (!everything.some(({ type, ref: name }) => type === 'AWS::IAM::Role' && name === role)) {
      problems.push(`The role with name ${role} cannot be found`);
    }
    const inline = everything
      .filter(
        (other) =>
          other.type === 'AWS::IAM::Policy' && other.ref !== ref && other.properties.Roles?.includes(role),
      )
      .reduce((sum, other) => sum + JSON.stringify(other.properties.PolicyDocument).length, 0);
    const size = inline + JSON.stringify(PolicyDocument).length;
    if (size > MAX_INLINE)
      problems.push(`Maximum policy size of ${MAX_INLINE} bytes exceeded for role ${role}: ${size}`);
  }
  return problems;
};

export const providers: Record<string, Check | undefined> = {
  'AWS::Lambda::Function': lambdaFunction,
  'AWS::StepFunctions::StateMachine': stateMachine,
  'AWS::IAM::Policy': policy,
  'AWS::IAM::Role': ({ AssumeRolePolicyDocument }) => statementProblems(AssumeRolePolicyDocument, false),
  'AWS::CloudWatch::Dashboard': ({ DashboardBody }) => {
    try {
      return Array.isArray(JSON.parse(DashboardBody).widgets) ? [] : ['The dashboard body has no widgets'];
    } catch (error) {
      return [`The dashboard body is no JSON: ${(error as Error).message}`];
    }
  },
  'AWS::S3::Bucket': ({ BucketName }, { objects }, ref) => {
    if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(ref))
      return [`Bucket name ${BucketName ?? ref} is malformed`];
    if (!objects.buckets.has(ref)) objects.buckets.set(ref, new Map());
    return [];
  },
};
