import type { CallShape } from '#functions/tool-library/analysis/calls.ts';
import { numberNode } from '#functions/tool-library/analysis/literals.ts';
import type { AstNode, ModuleNode } from '#functions/tool-library/python/ast.ts';
import type { SourceTool } from '#functions/tool-library/refactor/forms.ts';

/** Syntax trees written by hand. */

export const id = (name: string): AstNode => ({ _: 'Name', id: name });
export const op = (left: AstNode, kind: string, right: AstNode): AstNode => ({
  _: 'BinOp',
  left,
  op: { _: kind },
  right,
});
export const assign = (name: string, value: AstNode): AstNode => ({
  _: 'Assign',
  targets: [id(name)],
  value,
});
export const returns = (value: AstNode): AstNode => ({ _: 'Return', value });

export function functionTree(name: string, parameters: readonly string[], body: AstNode[]): ModuleNode {
  return {
    _: 'Module',
    body: [
      {
        _: 'FunctionDef',
        name,
        args: {
          _: 'arguments',
          posonlyargs: [],
          args: parameters.map((arg) => ({ _: 'arg', arg, annotation: null })),
          vararg: null,
          kwonlyargs: [],
          kw_defaults: [],
          kwarg: null,
          defaults: [],
        },
        body,
        decorator_list: [],
        returns: null,
      },
    ],
  };
}

/** A tool with one case: its parameters called with these numbers, by position. */
export function toolOf(
  name: string,
  parameters: readonly string[],
  body: AstNode[],
  values: readonly number[],
  toolId = name,
): SourceTool {
  const call: AstNode = { _: 'Call', func: id(name), args: values.map(numberNode), keywords: [] };
  const shape: CallShape = {
    entry: name,
    call,
    expression: call,
    setup: [],
    arguments: new Map(parameters.map((parameter, n) => [parameter, numberNode(values[n]!)])),
  };
  return {
    id: toolId,
    name,
    entry: name,
    description: '',
    ast: functionTree(name, parameters, body),
    cases: [{ id: `c_${toolId}`, shape }],
  };
}
