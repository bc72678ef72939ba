import { createHash } from 'node:crypto';
import { ACCOUNT, PARTITION, type LiveResource, type ResourceSpec } from './types.ts';
import type { ResourceSchema } from './schemas.ts';

/** A short text that depends on its argument only, for generated names. */
export const digest = (text: string, length = 12): string =>
  createHash('sha256').update(text).digest('hex').slice(0, length);

interface Naming {
  schema: ResourceSchema;
  spec: ResourceSpec;
  properties: LiveResource['properties'];
  stack: string;
  logicalId: string;
  region: string;
  /** Raised when a resource without a name of its own is replaced. */
  generation: number;
}

/** The name that a template gives a resource; undefined where the service makes one up. */
export function givenName(
  schema: ResourceSchema,
  properties: LiveResource['properties'],
): string | undefined {
  const { cloudFormationType, primaryIdentifier = [], cfnRefIdentifier = [] } = schema;
  const candidates = [
    `${cloudFormationType.split('::')[2]}Name`,
    'Name',
    ...primaryIdentifier,
    ...cfnRefIdentifier,
  ];
  const found = candidates.find((name) => name in schema.properties && properties[name] !== undefined);
  return found === undefined ? undefined : String(properties[found]);
}

/** What Ref and Fn::GetAtt give of a resource, made of its schema's identifiers, attributes and ARN template. */
export function identify(naming: Naming): Pick<LiveResource, 'ref' | 'key' | 'attributes'> {
  const { schema, properties, region } = naming;
  const type = schema.cloudFormationType;
  const random = digest(`${naming.stack}/${naming.logicalId}/${naming.generation}`);
  const generated = `${naming.stack}-${naming.logicalId}`.slice(0, 40) + `-${random}`;
  const short = type.split('::')[2]!;
  const name =
    givenName(schema, properties) ?? (type === 'AWS::S3::Bucket' ? generated.toLowerCase() : generated);
  const arn = (
    schema.arnTemplate ??
    `arn:\${Partition}:${type.split('::')[1]!.toLowerCase()}:\${Region}:\${Account}:${short}/\${Name}`
  ).replace(/\$\{(\w+)\}/g, (_all, key: string) =>
    key === 'Partition'
      ? PARTITION
      : key === 'Region'
        ? region
        : key === 'Account'
          ? ACCOUNT
          : name.replace(/^\//, ''),
  );
  const value = (attribute: string): string => {
    const special = SPECIAL[`${type}.${attribute}`]?.({
      properties,
      name,
      region,
      random,
      generation: naming.generation,
    });
    if (special !== undefined) return special;
    if (properties[attribute] !== undefined) return String(properties[attribute]);
    if (/Arn$/.test(attribute)) return arn;
    return /Name$/.test(attribute) ? name : random;
  };
  const attributes = Object.fromEntries(
    Object.keys(schema.attributes).map((attribute) => [attribute, value(attribute)]),
  );
  const values = (ids: readonly string[] = []): string =>
    ids
      .map((id) => properties[id] ?? attributes[id] ?? (id === 'EventBusName' ? undefined : name))
      .filter((part) => part !== undefined)
      .join('|');
  const key = values(schema.primaryIdentifier);
  return { ref: values(schema.cfnRefIdentifier ?? schema.primaryIdentifier), key, attributes };
}

interface Known {
  properties: LiveResource['properties'];
  name: string;
  region: string;
  random: string;
  generation: number;
}

/** Attributes whose form others rely on and no template gives. */
const SPECIAL: Record<string, (known: Known) => string> = {
  'AWS::SQS::Queue.QueueUrl': ({ name, region }) => `https://sqs.${region}.amazonaws.com/${ACCOUNT}/${name}`,
  'AWS::ApiGatewayV2::Api.ApiEndpoint': ({ random, region }) =>
    `https://${random}.execute-api.${region}.amazonaws.com`,
  'AWS::Lambda::Version.FunctionArn': ({ properties, generation, region }) => {
    const fn = String(properties.FunctionName);
    return `${fn.startsWith('arn:') ? fn : `arn:${PARTITION}:lambda:${region}:${ACCOUNT}:function:${fn}`}:${generation + 1}`;
  },
  'AWS::Lambda::Version.Version': ({ generation }) => String(generation + 1),
  'AWS::StepFunctions::StateMachineVersion.Arn': ({ properties, generation }) =>
    `${properties.StateMachineArn}:${generation + 1}`,
  'AWS::StepFunctions::StateMachineAlias.Arn': ({ properties }) => {
    const version = String(
      properties.DeploymentPreference?.StateMachineVersionArn ??
        properties.RoutingConfiguration?.[0]?.StateMachineVersionArn,
    );
    return version.replace(/:[^:]*$/, `:${properties.Name}`);
  },
  // A revision changes with what the machine is made of.
  'AWS::StepFunctions::StateMachine.StateMachineRevisionId': ({ properties }) =>
    digest(JSON.stringify(properties)),
  'AWS::SSM::Parameter.Value': ({ properties }) => String(properties.Value),
};
