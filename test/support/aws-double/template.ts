import { parse as parseYaml } from 'yaml';
import { referencesOf } from './intrinsics.ts';
import type { Schemas } from './schemas.ts';
import { AwsFault, type CfnTemplate } from './types.ts';

/** Limits of CloudFormation, from its page of quotas. */
export const LIMITS = {
  bytes: 1_048_576,
  inlineBytes: 51_200,
  resources: 500,
  parameters: 200,
  outputs: 200,
};

const PSEUDO = new Set(
  [
    'AccountId',
    'Region',
    'Partition',
    'URLSuffix',
    'StackName',
    'StackId',
    'NoValue',
    'NotificationARNs',
  ].map((name) => `AWS::${name}`),
);

const fail = (message: string): never => {
  throw new AwsFault('ValidationError', message);
};

/**
 * What CloudFormation refuses before it makes anything: malformed text, limits, unknown types, names that nothing
 * defines, circles.
 * @param allowed the only resource types this endpoint serves.
 */
export function readTemplate(body: string, allowed: ReadonlySet<string>, schemas: Schemas): CfnTemplate {
  if (Buffer.byteLength(body) > LIMITS.bytes) {
    fail(`1 validation error detected: the template has over ${LIMITS.bytes} bytes`);
  }
  let template: CfnTemplate;
  try {
    template = (body.trimStart().startsWith('{') ? JSON.parse(body) : parseYaml(body)) as CfnTemplate;
  } catch {
    return fail('Template format error: neither JSON nor YAML');
  }
  const { Resources = {}, Parameters = {}, Outputs = {}, Conditions = {} } = template;
  const counts = { resources: Resources, parameters: Parameters, outputs: Outputs };
  for (const [what, items] of Object.entries(counts)) {
    const limit = LIMITS[what as keyof typeof counts];
    const count = Object.keys(items).length;
    if (count > limit)
      fail(`Template format error: Number of ${what}, ${count}, is greater than maximum allowed, ${limit}`);
  }
  if (Object.keys(Resources).length === 0)
    fail('Template format error: At least one Resources member must be defined.');
  for (const name of [...Object.keys(Resources), ...Object.keys(Parameters), ...Object.keys(Outputs)]) {
    if (!/^[A-Za-z0-9]{1,255}$/.test(name))
      fail(`Template format error: the name ${name} is not alphanumeric.`);
  }
  const types = [...new Set(Object.values(Resources).map(({ Type }) => Type))];
  const unknown = types.filter((type) => !allowed.has(type) || !schemas.get(type));
  if (unknown.length > 0) fail(`Template format error: Unrecognized resource types: [${unknown.join(', ')}]`);
  const known = new Set([...Object.keys(Resources), ...Object.keys(Parameters), ...PSEUDO]);
  const check = (block: string, node: unknown): void => {
    const missing = [...referencesOf(node)].filter((name) => !known.has(name));
    if (missing.length > 0)
      fail(
        `Template format error: Unresolved resource dependencies [${missing.join(', ')}] in the ${block} block of the template`,
      );
  };
  check('Resources', Resources);
  check('Outputs', Outputs);
  for (const [id, resource] of Object.entries(Resources)) {
    const missing = [resource.DependsOn ?? []].flat().filter((name) => !Resources[name]);
    if (missing.length > 0)
      fail(
        `Template format error: Unresolved resource dependencies [${missing.join(', ')}] in the Resources block of the template`,
      );
    if (resource.Condition !== undefined && !(resource.Condition in Conditions))
      fail(`Template format error: Unresolved condition ${resource.Condition} of ${id}`);
  }
  creationOrder(template);
  return template;
}

/** Logical ids, each after all it depends on. @throws AwsFault for a circle. */
export function creationOrder({ Resources }: CfnTemplate): string[] {
  const order: string[] = [];
  const state = new Map<string, 'open' | 'done'>();
  const visit = (id: string, trail: string[]): void => {
    if (state.get(id) === 'done') return;
    if (state.get(id) === 'open') {
      fail(`Circular dependency between resources: [${[...trail.slice(trail.indexOf(id))].join(', ')}]`);
    }
    state.set(id, 'open');
    const resource = Resources[id]!;
    const before = [...[resource.DependsOn ?? []].flat(), ...referencesOf(resource.Properties ?? {})];
    for (const name of before) if (Resources[name]) visit(name, [...trail, id]);
    state.set(id, 'done');
    order.push(id);
  };
  for (const id of Object.keys(Resources)) visit(id, []);
  return order;
}
