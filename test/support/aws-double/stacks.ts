import { evaluate, type Scope } from './intrinsics.ts';
import { identify, givenName } from './identity.ts';
import { Objects } from './objects.ts';
import { providers } from './providers.ts';
import { Schemas, type Reference } from './schemas.ts';
import { creationOrder, readTemplate } from './template.ts';
import {
  ACCOUNT,
  AwsFault,
  PARTITION,
  type Any,
  type CfnTemplate,
  type LiveResource,
  type ResourceSpec,
} from './types.ts';

export interface StackEvent {
  logicalId: string;
  type: string;
  status: string;
  reason?: string;
  at: Date;
}

export interface Stack {
  id: string;
  name: string;
  status: string;
  reason?: string;
  body: string;
  template: CfnTemplate;
  parameters: { ParameterKey: string; ParameterValue: string; ResolvedValue?: string }[];
  tags: Any[];
  resources: Map<string, LiveResource>;
  outputs: { OutputKey: string; OutputValue: string; Description?: string; ExportName?: string }[];
  imports: Set<string>;
  events: StackEvent[];
  createdAt: Date;
  protected: boolean;
  /** How often each resource was replaced. */
  generations: Map<string, number>;
}

export interface StackInput {
  StackName: string;
  TemplateBody?: string;
  TemplateURL?: string;
  Parameters?: { ParameterKey: string; ParameterValue?: string; UsePreviousValue?: string }[];
  Tags?: Any[];
}

const fail = (message: string): never => {
  throw new AwsFault('ValidationError', message);
};

/**
 * The stacks of one account and region. Nothing is made but names and attributes; what CloudFormation and the services
 * would refuse for a template's own fault is refused.
 */
export class Stacks {
  readonly all = new Map<string, Stack>();
  /** Deleted stacks: still described by their ids. */
  private readonly gone: Stack[] = [];
  private made = 0;
  readonly objects = new Objects();
  readonly schemas = Schemas.load();
  /** Tests that leave out bundles say of which functions. */
  bundled: (functionName: string) => boolean = () => true;
  /** Names of stacks in the order in which they were finished, with how. */
  readonly history: { stack: string; status: string }[] = [];
  readonly region: string;
  private readonly allowed: (stack: string) => ReadonlySet<string>;
  private clock = Date.now();

  /** @param allowed the resource types that a stack may have, by its name. */
  constructor(region: string, allowed: (stack: string) => ReadonlySet<string>) {
    this.region = region;
    this.allowed = allowed;
  }

  now(): Date {
    return new Date((this.clock = Math.max(this.clock + 1, Date.now())));
  }

  /** By name or id. */
  find(nameOrId: string): Stack {
    const stack =
      this.all.get(nameOrId) ?? [...this.all.values(), ...this.gone].find(({ id }) => id === nameOrId);
    return stack ?? fail(`Stack with id ${nameOrId} does not exist`);
  }

  /** A stack whose first change set was not executed yet. */
  open(name: string): Stack {
    const known = this.all.get(name);
    if (known) return known;
    const stack: Stack = {
      id: `arn:${PARTITION}:cloudformation:${this.region}:${ACCOUNT}:stack/${name}/${++this.made}`,
      name,
      status: 'REVIEW_IN_PROGRESS',
      body: '',
      template: { Resources: {} },
      parameters: [],
      tags: [],
      resources: new Map(),
      outputs: [],
      imports: new Set(),
      events: [],
      createdAt: this.now(),
      protected: false,
      generations: new Map(),
    };
    this.all.set(name, stack);
    return stack;
  }

  /** Reads a template as a stack would take it, with its parameters. @throws AwsFault. */
  read(input: StackInput): { body: string; template: CfnTemplate; parameters: Stack['parameters'] } {
    const body = input.TemplateBody ?? this.fetchTemplate(input.TemplateURL ?? '');
    const template = readTemplate(body, this.allowed(input.StackName), this.schemas);
    const before = this.all.get(input.StackName)?.parameters ?? [];
    const given = new Map((input.Parameters ?? []).map((parameter) => [parameter.ParameterKey, parameter]));
    for (const key of given.keys()) {
      if (!template.Parameters?.[key]) fail(`Parameters: [${key}] do not exist in the template`);
    }
    const parameters = Object.entries(template.Parameters ?? {}).map(([key, spec]) => {
      const parameter = given.get(key);
      const previous = before.find(({ ParameterKey }) => ParameterKey === key)?.ParameterValue;
      const value =
        parameter?.UsePreviousValue === 'true' ? previous : (parameter?.ParameterValue ?? spec.Default);
      if (value === undefined) fail(`Parameters: [${key}] must have values`);
      if (spec.AllowedValues && !spec.AllowedValues.map(String).includes(String(value)))
        fail(`Parameter ${key} must be one of ${spec.AllowedValues.join(', ')}`);
      return {
        ParameterKey: key,
        ParameterValue: String(value),
        ...(spec.Type.startsWith('AWS::SSM::Parameter::Value')
          ? { ResolvedValue: this.parameter(String(value)) }
          : {}),
      };
    });
    const scope = this.scope(input.StackName, template, parameters, new Map());
    for (const [name, rule] of Object.entries(template.Rules ?? {})) {
      if (rule.RuleCondition !== undefined && evaluate(rule.RuleCondition, scope) !== true) continue;
      for (const { Assert, AssertDescription } of rule.Assertions) {
        if (evaluate(Assert, scope) !== true)
          fail(`Template validation failed for rule ${name}: ${AssertDescription}`);
      }
    }
    return { body, template, parameters };
  }

  private fetchTemplate(address: string): string {
    const [, bucket = '', ...key] = decodeURIComponent(new URL(address).pathname).split('/');
    return (
      this.objects.get(bucket, key.join('/'))?.toString('utf8') ?? fail(`S3 error: no template at ${address}`)
    );
  }

  /** The value of a parameter in Systems Manager that some stack made. */
  parameter(name: string): string {
    for (const { type, properties } of this.live()) {
      if (type === 'AWS::SSM::Parameter' && properties.Name === name) return String(properties.Value);
    }
    throw new AwsFault('ParameterNotFound', `Parameter ${name} not found.`);
  }

  *live(): Iterable<LiveResource> {
    for (const stack of this.all.values()) yield* stack.resources.values();
  }

  private exports(except?: Stack): Map<string, { value: string; stack: Stack }> {
    const found = new Map<string, { value: string; stack: Stack }>();
    for (const stack of this.all.values()) {
      if (stack === except) continue;
      for (const { ExportName, OutputValue } of stack.outputs)
        if (ExportName) found.set(ExportName, { value: OutputValue, stack });
    }
    return found;
  }

  private scope(
    name: string,
    template: CfnTemplate,
    parameters: Stack['parameters'],
    resources: Map<string, LiveResource>,
  ): Scope {
    return {
      parameters: Object.fromEntries(
        parameters.map(({ ParameterKey: key, ParameterValue, ResolvedValue = ParameterValue }) => {
          const isList = /List/.test(template.Parameters?.[key]?.Type ?? '');
          return [key, isList ? ResolvedValue.split(',') : ResolvedValue];
        }),
      ),
      pseudo: {
        'AWS::AccountId': ACCOUNT,
        'AWS::Region': this.region,
        'AWS::Partition': PARTITION,
        'AWS::URLSuffix': 'amazonaws.com',
        'AWS::StackName': name,
        'AWS::StackId': this.all.get(name)?.id ?? name,
      },
      conditions: template.Conditions ?? {},
      mappings: template.Mappings ?? {},
      resources,
      exports: this.exports(this.all.get(name)),
    };
  }

  /** Creates or updates a stack from what was read; a fault rolls it back and is told in its events. */
  apply(stack: Stack, input: ReturnType<Stacks['read']> & { tags: Any[] }): void {
    const creating = stack.status === 'REVIEW_IN_PROGRESS';
    const verb = creating ? 'CREATE' : 'UPDATE';
    const event = (logicalId: string, type: string, status: string, reason?: string): void => {
      stack.events.unshift({
        logicalId,
        type,
        status,
        ...(reason === undefined ? {} : { reason }),
        at: this.now(),
      });
    };
    const whole = (status: string, reason?: string): void => {
      stack.status = status;
      if (reason === undefined) delete stack.reason;
      else stack.reason = reason;
      event(stack.name, 'AWS::CloudFormation::Stack', status, reason);
    };
    const before = new Map(stack.resources);
    whole(`${verb}_IN_PROGRESS`, 'User Initiated');
    let current = stack.name;
    try {
      const imports = new Set<string>();
      const scope = this.scope(stack.name, input.template, input.parameters, stack.resources);
      scope.onImport = (name) => imports.add(name);
      const wanted = new Set<string>();
      for (const id of creationOrder(input.template)) {
        const spec = input.template.Resources[id]!;
        if (spec.Condition !== undefined && evaluate({ Condition: spec.Condition }, scope) !== true) continue;
        wanted.add(id);
        current = id;
        event(id, spec.Type, `${verb}_IN_PROGRESS`);
        const live = this.make(stack, id, spec, scope);
        stack.resources.set(id, live);
        event(id, spec.Type, `${verb}_COMPLETE`);
      }
      for (const [id, { type }] of before) {
        if (wanted.has(id)) continue;
        stack.resources.delete(id);
        event(id, type, 'DELETE_COMPLETE');
      }
      current = stack.name;
      const outputs = this.outputs(stack, input.template, scope);
      Object.assign(stack, { ...input, outputs, imports });
      whole(`${verb}_COMPLETE`);
    } catch (error) {
      if (!(error instanceof AwsFault)) throw error;
      if (current !== stack.name)
        event(current, input.template.Resources[current]!.Type, `${verb}_FAILED`, error.message);
      whole(
        creating ? 'ROLLBACK_IN_PROGRESS' : 'UPDATE_ROLLBACK_IN_PROGRESS',
        `The following resource(s) failed: [${current}]. ${error.message}`,
      );
      stack.resources.clear();
      for (const [id, live] of before) stack.resources.set(id, live);
      whole(creating ? 'ROLLBACK_COMPLETE' : 'UPDATE_ROLLBACK_COMPLETE');
    }
    this.history.push({ stack: stack.name, status: stack.status });
  }

  private make(stack: Stack, logicalId: string, spec: ResourceSpec, scope: Scope): LiveResource {
    const type = spec.Type;
    const schema = this.schemas.get(type)!;
    const properties = evaluate(spec.Properties ?? {}, scope) as Record<string, Any>;
    const { problems, references } = this.schemas.check(type, properties);
    if (problems.length > 0)
      fail(`Properties validation failed for resource ${logicalId}: ${problems.join('; ')}`);
    const old = stack.resources.get(logicalId);
    const replaced =
      old !== undefined &&
      Object.entries(schema.properties).some(
        ([name, { causesReplacement }]) =>
          causesReplacement === 'yes' &&
          JSON.stringify(old.properties[name]) !== JSON.stringify(properties[name]),
      );
    if (replaced) stack.generations.set(logicalId, (stack.generations.get(logicalId) ?? 0) + 1);
    const generation = stack.generations.get(logicalId) ?? 0;
    const identity = identify({
      schema,
      spec,
      properties,
      stack: stack.name,
      logicalId,
      region: this.region,
      generation,
    });
    const named = givenName(schema, properties) !== undefined;
    const twin = [...this.live()].find(
      (other) => other !== old && other.type === type && other.key === identity.key,
    );
    if (named && twin)
      fail(`${type} ${identity.ref} already exists in stack ${twin.stack} (${twin.logicalId})`);
    if (replaced && named && old.key === identity.key && !type.endsWith('Version'))
      fail(
        `CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename ${identity.ref}`,
      );
    this.checkReferences(references);
    const around = { objects: this.objects, bundled: this.bundled, live: () => this.live() };
    const refused = providers[type]?.(properties, around, identity.ref) ?? [];
    if (refused.length > 0) fail(refused.join('; '));
    return { stack: stack.name, logicalId, type, properties, ...identity };
  }

  /** An identifier of this account that no resource has names something that does not exist. */
  private checkReferences(references: readonly Reference[]): void {
    const everything = [...this.live()];
    for (const { path, value, targets } of references) {
      const ours = value.startsWith('arn:') && value.split(':')[4] === ACCOUNT;
      if (!ours) continue;
      const service = value.split(':')[2];
      const types = new Set(
        targets
          .map(({ cloudFormationType }) => cloudFormationType)
          .filter((type) => this.schemas.get(type)?.arnTemplate?.split(':')[2] === service),
      );
      // What a schema does not relate to this service cannot be looked up.
      if (types.size === 0) continue;
      const found = everything.some(
        ({ type, ref, attributes }) =>
          types.has(type) &&
          [ref, ...Object.values(attributes)].some(
            (known) => value === known || value.startsWith(`${known}:`),
          ),
      );
      if (!found) fail(`${path} names ${value}, which does not exist (${[...types].join(', ')})`);
    }
  }

  private outputs(stack: Stack, template: CfnTemplate, scope: Scope): Stack['outputs'] {
    const others = this.exports(stack);
    const outputs = Object.entries(template.Outputs ?? {})
      .filter(([, { Condition }]) => Condition === undefined || evaluate({ Condition }, scope) === true)
      .map(([OutputKey, { Value, Export, Description }]) => {
        const value = evaluate(Value, scope);
        if (typeof value !== 'string') fail(`Output ${OutputKey} is no string`);
        const name = Export === undefined ? undefined : String(evaluate(Export.Name, scope));
        const owner = name === undefined ? undefined : others.get(name)?.stack;
        if (owner) fail(`Export with name ${name} is already exported by stack ${owner.name}`);
        return {
          OutputKey,
          OutputValue: value as string,
          ...(Description === undefined ? {} : { Description }),
          ...(name === undefined ? {} : { ExportName: name }),
        };
      });
    const names = outputs.map(({ ExportName }) => ExportName).filter((name) => name !== undefined);
    const twice = names.find((name, n) => names.indexOf(name) !== n);
    if (twice) fail(`Export with name ${twice} is exported twice`);
    for (const { ExportName } of stack.outputs) {
      if (ExportName && !names.includes(ExportName)) this.checkUnused(stack, ExportName);
    }
    return outputs;
  }

  private checkUnused(stack: Stack, name: string): void {
    const user = [...this.all.values()].find((other) => other !== stack && other.imports.has(name));
    if (user) fail(`Export ${name} cannot be deleted as it is in use by ${user.name}`);
  }

  /** Deletes a stack; what is retained stays behind without an owner and is forgotten. */
  delete(stack: Stack): void {
    if (stack.protected)
      fail(`Stack [${stack.name}] cannot be deleted while TerminationProtection is enabled`);
    for (const { ExportName } of stack.outputs) if (ExportName) this.checkUnused(stack, ExportName);
    stack.status = 'DELETE_COMPLETE';
    stack.resources.clear();
    this.all.delete(stack.name);
    this.gone.push(stack);
    this.history.push({ stack: stack.name, status: stack.status });
  }
}
