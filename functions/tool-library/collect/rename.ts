import type { Case, Tool } from '#shared/library/types.ts';
import { defect } from '#shared/task/errors.ts';
import { renameFunction } from '../analysis/functions.ts';
import { parseTools, unparse } from '../python/analyser.ts';
import type { AstNode } from '../python/ast.ts';
import { resolveClashes } from './clashes.ts';

/** Tools with their cases. */
export interface Collected {
  tools: Tool[];
  cases: Case[];
}

/** Parameters of a tool, in the order of its schema. */
export const parameterNames = ({ schema }: Pick<Tool, 'schema'>): string[] =>
  Object.keys((schema.properties ?? {}) as object);

/** Renames tools that share a name, in code and calls; the old name stays as an alias. Ids stay. */
export async function renameClashes<T extends Tool, C extends Pick<Case, 'toolId' | 'call'>>({
  tools,
  cases,
}: {
  tools: T[];
  cases: C[];
}): Promise<{ tools: T[]; cases: C[] }> {
  const renamed = resolveClashes(tools.map((tool) => ({ ...tool, parameters: parameterNames(tool) })));
  if (renamed.size === 0) return { tools, cases };
  const changedTools = tools.filter(({ id }) => renamed.has(id));
  const changedCases = cases.filter(({ toolId }) => renamed.has(toolId));
  const nameOf = new Map(tools.map(({ id, entry }) => [id, entry]));
  const codes = await rewrite(
    changedTools.map(({ id, code, entry }) => ({ text: code, from: entry, to: renamed.get(id)! })),
  );
  const calls = await rewrite(
    changedCases.map(({ toolId, call }) => ({
      text: call,
      from: nameOf.get(toolId)!,
      to: renamed.get(toolId)!,
    })),
  );
  const codeOf = new Map(changedTools.map(({ id }, n) => [id, codes[n]!]));
  const callOf = new Map(changedCases.map((each, n) => [each, calls[n]!]));
  return {
    tools: tools.map((tool) => {
      const name = renamed.get(tool.id);
      if (name === undefined) return tool;
      const aliases = [...new Set([...tool.aliases, tool.name])];
      return { ...tool, name, entry: name, aliases, code: codeOf.get(tool.id)! };
    }),
    cases: cases.map((each) => (callOf.has(each) ? { ...each, call: callOf.get(each)! } : each)),
  };
}

async function rewrite(texts: readonly { text: string; from: string; to: string }[]): Promise<string[]> {
  const parsed = await parseTools(texts.map(({ text }) => text));
  const trees = parsed.map((result, n): AstNode => {
    if (!result.ok) throw defect(`A tool that was admitted does not parse: ${result.error.message}`);
    return renameFunction(result.ast, texts[n]!.from, texts[n]!.to);
  });
  return unparse(trees);
}
