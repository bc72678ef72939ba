import { AwsFault, type Any, type LiveResource } from './types.ts';

/** What intrinsic functions can see while they are evaluated. */
export interface Scope {
  parameters: Record<string, Any>;
  pseudo: Record<string, string>;
  conditions: Record<string, Any>;
  mappings: Record<string, Record<string, Record<string, Any>>>;
  resources: Map<string, LiveResource>;
  exports: Map<string, { value: string }>;
  /** Called for each Fn::ImportValue, so that an export in use cannot be taken away. */
  onImport?(name: string): void;
}

const NO_VALUE = Symbol('AWS::NoValue');

const fail = (message: string): never => {
  throw new AwsFault('ValidationError', message);
};

const functionOf = (node: Any): [string, Any] | undefined => {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return undefined;
  const keys = Object.keys(node);
  const [name] = keys;
  return keys.length === 1 && (name === 'Ref' || name === 'Condition' || name!.startsWith('Fn::'))
    ? [name!, node[name!]]
    : undefined;
};

/** Every `${…}` of a Fn::Sub text; `${!x}` is a literal. */
const SUB = /\$\{([^!{}][^{}]*)\}/g;

/** The logical ids that a piece of template names by Ref, Fn::GetAtt or Fn::Sub. */
export function referencesOf(node: Any, found = new Set<string>()): Set<string> {
  const call = functionOf(node);
  if (call?.[0] === 'Ref') found.add(String(call[1]));
  else if (call?.[0] === 'Fn::GetAtt')
    found.add(Array.isArray(call[1]) ? call[1][0] : String(call[1]).split('.')[0]!);
  else if (call?.[0] === 'Fn::Sub') {
    const [text, variables = {}] = Array.isArray(call[1]) ? call[1] : [call[1]];
    for (const [, name] of String(text).matchAll(SUB)) {
      if (!(name! in variables)) found.add(name!.split('.')[0]!);
    }
    referencesOf(variables, found);
    return found;
  }
  if (typeof node === 'object' && node !== null)
    for (const item of Object.values(node)) referencesOf(item, found);
  return found;
}

/** Evaluates a piece of template. @throws AwsFault for whatever does not resolve. */
export function evaluate(node: Any, scope: Scope): Any {
  const value = walk(node, scope);
  return value === NO_VALUE ? undefined : value;
}

function walk(node: Any, scope: Scope): Any {
  if (Array.isArray(node)) return node.map((item) => walk(item, scope)).filter((item) => item !== NO_VALUE);
  if (typeof node !== 'object' || node === null) return node;
  const call = functionOf(node);
  if (call) return apply(call[0], call[1], scope);
  return Object.fromEntries(
    Object.entries(node)
      .map(([key, item]) => [key, walk(item, scope)])
      .filter(([, item]) => item !== NO_VALUE),
  );
}

function ref(name: string, scope: Scope): Any {
  if (name === 'AWS::NoValue') return NO_VALUE;
  if (name in scope.pseudo) return scope.pseudo[name];
  if (name in scope.parameters) return scope.parameters[name];
  return scope.resources.get(name)?.ref ?? fail(`Unresolved resource dependencies [${name}] in the template`);
}

function attribute(name: string, path: string, scope: Scope): Any {
  const resource =
    scope.resources.get(name) ?? fail(`Unresolved resource dependencies [${name}] in the template`);
  if (!(path in resource.attributes)) {
    fail(`Requested attribute ${path} does not exist in schema for ${resource.type} (resource ${name})`);
  }
  return resource.attributes[path];
}

const condition = (name: string, scope: Scope): boolean =>
  name in scope.conditions
    ? walk(scope.conditions[name], scope) === true
    : fail(`Unresolved condition ${name} in the template`);

function text(value: Any, where: string): string {
  if (['string', 'number', 'boolean'].includes(typeof value)) return String(value);
  return fail(`${where}: expected a string, found ${JSON.stringify(value)}`);
}

function apply(name: string, argument: Any, scope: Scope): Any {
  if (name === 'Ref') return ref(argument, scope);
  if (name === 'Condition') return condition(argument, scope);
  if (name === 'Fn::If') {
    const [which, yes, no] = argument as [string, Any, Any];
    return walk(condition(which, scope) ? yes : no, scope);
  }
  if (name === 'Fn::GetAtt') {
    const [id, ...path] = Array.isArray(argument) ? argument : String(argument).split('.');
    return attribute(id, path.join('.'), scope);
  }
  if (name === 'Fn::Sub') {
    const [template, variables = {}] = Array.isArray(argument) ? argument : [argument];
    return String(template)
      .replace(SUB, (_all, key: string) => {
        if (key in variables) return text(walk(variables[key], scope), 'Fn::Sub');
        const [id, ...path] = key.split('.');
        return text(path.length > 0 ? attribute(id!, path.join('.'), scope) : ref(key, scope), 'Fn::Sub');
      })
      .replaceAll('${!', '${');
  }
  const value = walk(argument, scope);
  switch (name) {
    case 'Fn::Join':
      if (!Array.isArray(value[1])) fail('Fn::Join: the second argument is no list');
      return value[1].map((item: Any) => text(item, 'Fn::Join')).join(value[0]);
    case 'Fn::Split':
      return text(value[1], 'Fn::Split').split(value[0]);
    case 'Fn::Select':
      return (
        value[1]?.[Number(value[0])] ??
        fail(`Fn::Select cannot select nonexistent value at index ${value[0]}`)
      );
    case 'Fn::ImportValue': {
      const exported = scope.exports.get(value) ?? fail(`No export named ${value} found`);
      scope.onImport?.(value);
      return exported.value;
    }
    case 'Fn::FindInMap':
      return scope.mappings[value[0]]?.[value[1]]?.[value[2]] ?? fail(`Fn::FindInMap: no ${value.join('/')}`);
    case 'Fn::Equals':
      return String(value[0]) === String(value[1]);
    case 'Fn::Not':
      return value[0] !== true;
    case 'Fn::And':
      return value.every((item: Any) => item === true);
    case 'Fn::Or':
      return value.some((item: Any) => item === true);
    case 'Fn::Contains':
      return value[0].map(String).includes(String(value[1]));
    case 'Fn::GetAZs': {
      const region = text(value || scope.pseudo['AWS::Region'], name);
      return ['a', 'b', 'c'].map((zone) => `${region}${zone}`);
    }
    case 'Fn::Base64':
      return Buffer.from(value).toString('base64');
    default:
      return fail(`Template format error: unknown function ${name}`);
  }
}
