import type { Case, Tool } from '#shared/library/types.ts';
import { defect } from '#shared/task/errors.ts';
import { renameFunction, wordsIn } from '../analysis/rename.ts';
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

/**
 * Renames tools that share a name, in code, set-up and calls; the old name stays as an alias. Ids stay.
 * @param modules code that stands before a tool's own, by module id: its names are taken too.
 */
export async function renameClashes<
  T extends Tool & { moduleId?: string | undefined },
  C extends Pick<Case, 'toolId' | 'setup' | 'call'>,
>(
  { tools, cases }: { tools: T[]; cases: C[] },
  modules: ReadonlyMap<string, string> = new Map(),
): Promise<{ tools: T[]; cases: C[] }> {
  const times = new Map<string, number>();
  for (const { name } of tools) times.set(name, (times.get(name) ?? 0) + 1);
  const shared = tools.filter(({ name }) => times.get(name)! > 1);
  if (shared.length === 0) return { tools, cases };
  const sharing = new Set(shared.map(({ id }) => id));
  const calls = cases.filter(({ toolId }) => sharing.has(toolId));
  const setups = calls.filter(({ setup }) => setup !== undefined);
  const trees = {
    codes: await treesOf(shared, ({ code }) => code),
    calls: await treesOf(calls, ({ call }) => call),
    setups: await treesOf(setups, ({ setup }) => setup!),
    modules: await treesOf([...modules.keys()], (id) => modules.get(id)!),
  };
  const avoid = new Map(
    shared.map((tool) => {
      const module = tool.moduleId === undefined ? undefined : trees.modules.get(tool.moduleId);
      return [tool.id, wordsIn(trees.codes.get(tool)!, ...(module ? [module] : []))];
    }),
  );
  for (const each of calls) {
    const words = avoid.get(each.toolId)!;
    const own = [trees.calls.get(each)!, ...(each.setup === undefined ? [] : [trees.setups.get(each)!])];
    for (const word of wordsIn(...own)) words.add(word);
  }
  const renamed = resolveClashes(
    tools.map((tool) => {
      const words = avoid.get(tool.id);
      return { ...tool, parameters: parameterNames(tool), ...(words ? { avoid: words } : {}) };
    }),
  );
  const entryOf = new Map(shared.map(({ id, entry }) => [id, entry]));
  const rewrite = async <X>(
    of: ReadonlyMap<X, AstNode>,
    idOf: (each: X) => string,
  ): Promise<Map<X, string>> => {
    const changed = [...of].filter(([each]) => renamed.has(idOf(each)));
    const texts = await unparse(
      changed.map(([each, tree]) => renameFunction(tree, entryOf.get(idOf(each))!, renamed.get(idOf(each))!)),
    );
    return new Map(changed.map(([each], n) => [each, texts[n]!]));
  };
  const codeOf = await rewrite(trees.codes, ({ id }) => id);
  const callOf = await rewrite(trees.calls, ({ toolId }) => toolId);
  const setupOf = await rewrite(trees.setups, ({ toolId }) => toolId);
  return {
    tools: tools.map((tool) => {
      const name = renamed.get(tool.id);
      if (name === undefined) return tool;
      const aliases = [...new Set([...tool.aliases, tool.name])];
      return { ...tool, name, entry: name, aliases, code: codeOf.get(tool)! };
    }),
    cases: cases.map((each) => {
      if (!callOf.has(each)) return each;
      const setup = setupOf.get(each);
      return { ...each, call: callOf.get(each)!, ...(setup === undefined ? {} : { setup }) };
    }),
  };
}

/** The syntax trees of some texts, by what they are of. */
async function treesOf<X>(of: readonly X[], textOf: (each: X) => string): Promise<Map<X, AstNode>> {
  const parsed = await parseTools(of.map(textOf));
  return new Map(
    parsed.map((result, n) => {
      if (!result.ok) throw defect(`A tool that was admitted does not parse: ${result.error.message}`);
      return [of[n]!, result.ast];
    }),
  );
}
