import type { Json } from '#shared/storage/ports.ts';
import { marksOf, parseExpression, type CompiledExpression } from './expression.ts';
import type { Template } from './types.ts';

/** What a template is made of once compiled. A part without an expression is one constant, whatever its size. */
export type TemplateNode =
  | { kind: 'constant'; value: Json }
  | { kind: 'expression'; expression: CompiledExpression; location: string }
  | { kind: 'array'; items: TemplateNode[] }
  | { kind: 'object'; members: [string, TemplateNode][] };

/** The template that `evaluate()` takes: the engine sees only what `Template` promises. */
export interface CompiledTemplate extends Template {
  readonly root: TemplateNode;
}

/** What was found while compiling; `pointer` is relative to the template's own JSON Pointer. */
export interface TemplateProblem {
  kind: 'half' | 'invalid' | 'key';
  pointer: string;
  message: string;
}

/** What a compiled template's expressions are, for static checks. */
export interface FoundExpression {
  expression: CompiledExpression;
  /** JSON Pointer below the template's own. */
  pointer: string;
}

export interface CompiledParts {
  template: CompiledTemplate;
  expressions: FoundExpression[];
  problems: TemplateProblem[];
}

/** One reference token of a JSON Pointer (RFC 6901). */
export const pointerToken = (key: string | number): string =>
  `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** Deepest nesting of a template; deeper definitions are refused rather than recursed into. */
const MAX_TEMPLATE_DEPTH = 200;

/**
 * Compiles a field's value. Every string that starts with `{%` and ends with `%}` is one expression, wherever it
 * stands; other strings are literals; keys are literal.
 * @param field - the field's name in causes and events, such as `Output` or `Catch[0]/Assign`
 */
export function compileTemplate(source: Json, field: string): CompiledParts {
  const expressions: FoundExpression[] = [];
  const problems: TemplateProblem[] = [];

  const text = (value: string, location: string, pointer: string): TemplateNode => {
    const marks = marksOf(value);
    if (marks === 'half') {
      const message = "A JSONata expression must start with '{%' and end with '%}'";
      problems.push({ kind: 'half', pointer, message });
    }
    if (marks !== 'expression') return { kind: 'constant', value };
    const parsed = parseExpression(value);
    if (!parsed.ok) {
      problems.push({ kind: 'invalid', pointer, message: parsed.message });
      return { kind: 'constant', value };
    }
    expressions.push({ expression: parsed.expression, pointer });
    return { kind: 'expression', expression: parsed.expression, location };
  };

  const compile = (value: Json, location: string, pointer: string, depth: number): TemplateNode => {
    if (typeof value === 'string') return text(value, location, pointer);
    if (value === null || typeof value !== 'object') return { kind: 'constant', value };
    if (depth > MAX_TEMPLATE_DEPTH) {
      problems.push({ kind: 'key', pointer, message: `Nested more than ${MAX_TEMPLATE_DEPTH} levels deep` });
      return { kind: 'constant', value };
    }
    if (Array.isArray(value)) {
      const items = value.map((item, index) =>
        compile(item, `${location}[${index}]`, pointer + pointerToken(index), depth + 1),
      );
      return items.every((item) => item.kind === 'constant')
        ? { kind: 'constant', value }
        : { kind: 'array', items };
    }
    const members = Object.entries(value).map(([key, member]): [string, TemplateNode] => {
      const at = pointer + pointerToken(key);
      if (key.endsWith('.$')) {
        const message = `Field '${key}' is not supported: a key that ends in '.$' is JSONPath`;
        problems.push({ kind: 'key', pointer: at, message });
      }
      return [key, compile(member, `${location}/${key}`, at, depth + 1)];
    });
    const constant = members.every(([, member]) => member.kind === 'constant');
    return constant ? { kind: 'constant', value } : { kind: 'object', members };
  };

  const root = compile(source, field, '', 0);
  return { template: { field, source, constant: root.kind === 'constant', root }, expressions, problems };
}
