import { libraryKey } from '#shared/library/store.ts';
import type { Case, LibraryTool, Tool, ToolModule } from '#shared/library/types.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { caseId } from '../ids.ts';
import { allRows } from '../io.ts';
import type { Collected } from './rename.ts';

/**
 * The tools of the version that a job extends: they join clustering as they are, each with its module's code before its
 * own and the cases it answers for.
 */
export async function baseTools(
  ctx: Pick<TaskContext, 'artifacts'>,
  libraryId: string,
  version: string,
): Promise<Collected> {
  const read = <T>(file: 'tools.jsonl' | 'modules.jsonl' | 'cases.jsonl'): Promise<T[]> =>
    allRows<T>(ctx.artifacts, libraryKey(libraryId, version, file));
  const modules = new Map((await read<ToolModule>('modules.jsonl')).map(({ id, code }) => [id, code]));
  const caseOf = new Map((await read<Case>('cases.jsonl')).map((each) => [each.id, each]));
  const tools: Tool[] = [];
  const cases: Case[] = [];
  for (const row of await read<LibraryTool>('tools.jsonl')) {
    const {
      path: _path,
      clusterId: _cluster,
      moduleId,
      sibId: _sib,
      keptBecause: _kept,
      mapping,
      ...tool
    } = row;
    const own =
      mapping.length > 0 ? mapping : tool.caseIds.map((id) => ({ caseId: id, ...callOf(caseOf.get(id)) }));
    const mapped = own.flatMap(({ caseId: id, setup, call }): Case[] => {
      const source = caseOf.get(id);
      if (!source || call === undefined) return [];
      const { setup: _setup, ...rest } = source;
      const moved = { ...rest, ...(setup === undefined ? {} : { setup }), toolId: tool.id, call };
      return [{ ...moved, id: caseId(tool.id, setup, call, source.expected) }];
    });
    const unique = [...new Map(mapped.map((each) => [each.id, each])).values()];
    const module = moduleId === undefined ? undefined : modules.get(moduleId);
    tools.push({
      ...tool,
      code: module === undefined ? tool.code : `${module}\n\n${tool.code}`,
      caseIds: unique.map(({ id }) => id),
    });
    cases.push(...unique);
  }
  return { tools, cases };
}

const callOf = (each: Case | undefined): { call?: string; setup?: string } =>
  each ? { call: each.call, ...(each.setup === undefined ? {} : { setup: each.setup }) } : {};
