import type { Json } from '#shared/storage/ports.ts';
import { compileTemplate } from '../template.ts';
import type { Template } from '../types.ts';
import type { Diagnostics } from './diagnostics.ts';
import { below } from './diagnostics.ts';
import { isObject, numberProblem, type Fields, type NumberRange } from './fields.ts';
import { marksOf } from '../expression.ts';
import { variableNameProblem, type VariableScope } from './scope.ts';

export type StatesMember = 'input' | 'context' | 'result' | 'errorOutput';
const EVERYWHERE: readonly StatesMember[] = ['input', 'context'];

/** What compiling the fields of one state needs: where it stands and what its expressions may see. */
export class StateContext {
  readonly diagnostics: Diagnostics;
  readonly scope: VariableScope;
  readonly stateName: string;

  constructor(diagnostics: Diagnostics, scope: VariableScope, stateName: string) {
    this.diagnostics = diagnostics;
    this.scope = scope;
    this.stateName = stateName;
  }

  /**
   * Compiles a field's value and reports what is wrong with its expressions.
   * @param name - the field; `prefix` goes before it in causes, such as `Catch[0]/`
   */
  template(fields: Fields, name: string, options: TemplateOptions = {}): Template | undefined {
    const value = fields.get(name);
    return value === undefined
      ? undefined
      : this.compile(value, fields.at(name), (options.prefix ?? '') + name, options);
  }

  private compile(value: Json, pointer: string, field: string, options: TemplateOptions): Template {
    const { template, expressions, problems } = compileTemplate(value, field);
    for (const problem of problems) {
      const code = problem.kind === 'key' ? 'SCHEMA_VALIDATION_FAILED' : 'INVALID_JSONATA_EXPRESSION';
      this.diagnostics.add(code, pointer + problem.pointer, problem.message);
    }
    const members = [...EVERYWHERE, ...(options.members ?? [])];
    for (const { expression, pointer: inner } of expressions) {
      const at = pointer + inner;
      for (const name of expression.references.topLevel) {
        const message = `Reference to '${name}' at the top level is not supported.`;
        this.diagnostics.add('UNSUPPORTED_JSONATA_EXPRESSION', at, message);
      }
      for (const member of expression.references.statesMembers) {
        if ((members as string[]).includes(member)) continue;
        const message = `Reference to '$states.${member}' is not supported in the field '${field}'.`;
        this.diagnostics.add('UNSUPPORTED_JSONATA_EXPRESSION', at, message);
      }
      for (const name of expression.references.variables) this.scope.reference(name, at);
    }
    return template;
  }

  /** A number that may be an expression; a literal is checked against the range. */
  number(
    fields: Fields,
    name: string,
    range: NumberRange,
    options: TemplateOptions = {},
  ): Template | undefined {
    const value = fields.get(name);
    if (typeof value === 'string' && marksOf(value) !== 'literal')
      return this.template(fields, name, options);
    if (value === undefined) return undefined;
    const problem = numberProblem(value, range);
    if (problem !== undefined)
      return fields.fail(name, `Field '${name}' ${problem}, or a JSONata expression`);
    return this.template(fields, name, options);
  }

  /** A text that may be an expression. */
  text(
    fields: Fields,
    name: string,
    problemOf: (text: string) => string | undefined = () => undefined,
    options: TemplateOptions = {},
  ): Template | undefined {
    const value = fields.get(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') return fields.fail(name, `Field '${name}' must be a string`);
    const problem = marksOf(value) === 'literal' ? problemOf(value) : undefined;
    if (problem !== undefined) return fields.fail(name, `Field '${name}' ${problem}`);
    return this.template(fields, name, options);
  }

  /** An `Assign`: an object whose keys are variable names. */
  assign(fields: Fields, options: TemplateOptions & { catcher?: boolean } = {}): Template | undefined {
    const value = fields.get('Assign');
    if (value === undefined) return undefined;
    if (!isObject(value))
      return fields.fail('Assign', "Field 'Assign' must be an object of variable names and values");
    for (const name of Object.keys(value)) {
      const pointer = below(fields.at('Assign'), name);
      const problem = variableNameProblem(name);
      if (problem !== undefined) this.diagnostics.schema(pointer, problem);
      this.scope.assign(name, { pointer, state: this.stateName, catcher: options.catcher ?? false });
    }
    return this.template(fields, 'Assign', options);
  }
}

export interface TemplateOptions {
  /** Before the field's name in causes: `Choices[1]/`. */
  prefix?: string;
  /** Members of `$states` besides `input` and `context`. */
  members?: readonly StatesMember[];
}
