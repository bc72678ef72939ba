import type { OpenAiTool } from '#shared/library/exports.ts';
import { withConnection, type CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { LibrariesClient } from '../libraries-client.ts';
import { safeText, table } from '../output.ts';

/** `agentmill libraries …`: published tool libraries. */

export const ACTIONS = ['list', 'show', 'tools', 'search', 'invoke', 'alias'] as const;
type Action = (typeof ACTIONS)[number];
/** Words that may follow an action; a search takes any number. */
const MOST: Partial<Record<Action, number>> = { list: 0, show: 1, tools: 1, invoke: 2, alias: 3 };

export interface LibraryOptions {
  version?: string;
  k?: string;
  cluster?: string;
  tag?: string[];
  mode?: string;
  args?: string;
  format?: string;
  if?: string;
}

export async function librariesCommand(
  context: CommandContext,
  action: string | undefined,
  rest: readonly string[],
  options: LibraryOptions,
): Promise<number> {
  const verb = (action ?? 'list') as Action;
  if (!ACTIONS.includes(verb))
    throw new CliError(EXIT.usage, `libraries ${verb}: use ${ACTIONS.join(', ')}.`);
  const extra = rest[MOST[verb] ?? rest.length];
  if (extra !== undefined)
    throw new CliError(EXIT.usage, `libraries ${verb} does not take "${extra.slice(0, 80)}".`);
  const [id, subject, target] = rest;
  const need = (value: string | undefined, what: string): string => {
    if (value === undefined || value === '')
      throw new CliError(EXIT.usage, `libraries ${verb} needs ${what}.`);
    return value;
  };
  return withConnection(context, { work: false }, async ({ client }) => {
    const libraries = new LibrariesClient(client);
    const { output } = context;
    const show = (value: unknown, text: () => string): number => {
      if (output.json) output.result(value);
      else output.print(text());
      return EXIT.ok;
    };
    const version = options.version === undefined ? {} : { version: options.version };
    switch (verb) {
      case 'list': {
        const items = await libraries.list();
        return show(items, () =>
          items.length === 0
            ? 'No libraries. agentmill run tool-library makes one.'
            : table([['LIBRARY', 'OWNER'], ...items.map(({ libraryId, owner }) => [libraryId, owner])]),
        );
      }
      case 'show': {
        const library = await libraries.get(need(id, "a library's id"));
        const versions = await libraries.versions(library.libraryId);
        const names = (wanted: string): string =>
          library.aliases
            .filter((alias) => alias.version === wanted)
            .map(({ name }) => name)
            .join(', ');
        return show({ ...library, versions }, () =>
          table([
            ['NUMBER', 'VERSION', 'ALIASES', 'TOOLS', 'CREATED'],
            ...versions.map((each) => [
              String(each.number),
              each.partial ? `${each.version} (partial)` : each.version,
              names(each.version),
              String(each.counts.tools ?? ''),
              each.createdAt,
            ]),
          ]),
        );
      }
      case 'tools': {
        const { format = 'agentmill' } = options;
        if (format !== 'agentmill' && format !== 'openai' && format !== 'mcp')
          throw new CliError(EXIT.usage, `--format ${format}: use agentmill, openai or mcp.`);
        const library = need(id, "a library's id");
        if (format !== 'agentmill') {
          output.result(await exported(libraries, library, format, options.version));
          return EXIT.ok;
        }
        const tools = await libraries.tools(library, format, options.version);
        return show(tools, () =>
          table([
            ['TOOL', 'TOPIC', 'PURPOSE'],
            ...tools.map(({ name, path, description }) => [
              name,
              safeText(path.join(' / ')),
              safeText(description.split('\n')[0]!.slice(0, 80)),
            ]),
          ]),
        );
      }
      case 'search': {
        const found = await libraries.search(need(id, "a library's id"), {
          query: need(rest.slice(1).join(' '), 'what to look for'),
          ...(options.k === undefined ? {} : { k: numberOf('--k', options.k) }),
          ...(options.cluster === undefined ? {} : { cluster: options.cluster }),
          ...(options.tag === undefined ? {} : { tags: options.tag }),
          ...(options.mode === undefined ? {} : { mode: options.mode }),
          ...version,
        });
        return show(found, () =>
          found.hits.length === 0
            ? 'No tool fits.'
            : table([
                ['SCORE', 'TOOL', 'PURPOSE'],
                ...found.hits.map(({ score, name, description }) => [
                  score.toFixed(3),
                  name,
                  safeText(description.split('\n')[0]!.slice(0, 90)),
                ]),
              ]),
        );
      }
      case 'invoke': {
        const answer = await libraries.invoke(need(id, "a library's id"), need(subject, "a tool's name"), {
          arguments: argumentsOf(options.args ?? '{}'),
          ...version,
        });
        show(answer, () =>
          safeText(
            answer.ok ? JSON.stringify(answer.value) : `${answer.error.type}: ${answer.error.message}`,
          ),
        );
        return answer.ok ? EXIT.ok : EXIT.failed;
      }
      case 'alias': {
        const alias = await libraries.alias(need(id, "a library's id"), {
          alias: need(subject, 'the name of an alias'),
          version: need(target, 'a version'),
          ...(options.if === undefined ? {} : { ifVersion: options.if }),
        });
        return show(alias, () => `${alias.name} is now ${alias.version}.`);
      }
    }
  });
}

/** All tools as one list that another program takes. */
async function exported(
  libraries: LibrariesClient,
  library: string,
  format: 'openai' | 'mcp',
  version: string | undefined,
): Promise<unknown> {
  if (format === 'openai') return libraries.tools<OpenAiTool>(library, format, version);
  const tools: unknown[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await libraries.mcpTools(library, version, cursor);
    tools.push(...page.tools);
    cursor = page.nextCursor;
    if (cursor === undefined) return { tools };
  }
}

function numberOf(flag: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new CliError(EXIT.usage, `${flag} ${text}: give a number.`);
  return value;
}

function argumentsOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw new CliError(
    EXIT.usage,
    `--args ${text.slice(0, 80)}: give a JSON object, such as '{"quantity": 24, "price": 3}'.`,
  );
}
