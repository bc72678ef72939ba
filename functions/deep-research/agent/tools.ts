import type { ToolSpec } from '#shared/models/types.ts';
import type { Json } from '#shared/storage/ports.ts';
import type { AgentConfig } from './types.ts';
import type { Call } from '../records.ts';

/** The agent's tools as prompts offer them, and what their arguments must be (specification section 6). */

export const MAX_QUERY = 400;
export const MAX_CODE = 20_000;

interface Argument {
  type: 'string' | 'integer';
  description: string;
  required: boolean;
  max?: number;
}

interface Tool {
  description: string;
  arguments: Record<string, Argument>;
}

const TOOLS: Record<string, Tool> = {
  search_internet: {
    description:
      'Searches and lists up to 10 results: title, URL and a short snippet. A snippet is a pointer, not evidence: read the page.',
    arguments: {
      query: {
        type: 'string',
        description: 'What to look for, in keywords.',
        required: true,
        max: MAX_QUERY,
      },
    },
  },
  browse_page: {
    description:
      'Reads one section of a page from the search results, as Markdown. Links are not shown: new URLs come only from searches.',
    arguments: {
      url: { type: 'string', description: 'The URL of a result.', required: true, max: 4000 },
      section_id: {
        type: 'integer',
        description: 'Which section of a long page, from 0. Default 0.',
        required: false,
      },
    },
  },
  code_interpreter: {
    description:
      'Runs Python 3 and gives what it prints and the value of its last expression. Every call is a fresh process without files or network; nothing is kept between calls.',
    arguments: { code: { type: 'string', description: 'The program.', required: true, max: MAX_CODE } },
  },
  clean_memory: {
    description:
      'Replaces the whole memory by the text given: keep the facts that matter with their URLs, and exact quotes; everything else is forgotten.',
    arguments: { content: { type: 'string', description: 'The new memory.', required: true } },
  },
  edit_result: {
    description: 'Replaces one result in memory by a shorter text that keeps what matters of it.',
    arguments: {
      result_id: { type: 'string', description: 'Which result, such as "r3".', required: true, max: 20 },
      content: { type: 'string', description: 'The shorter text.', required: true },
    },
  },
  delete_result: {
    description: 'Deletes one result from memory; that it was asked for stays visible.',
    arguments: {
      result_id: { type: 'string', description: 'Which result, such as "r3".', required: true, max: 20 },
    },
  },
};

export const MEMORY_TOOLS: ReadonlySet<string> = new Set(['clean_memory', 'edit_result', 'delete_result']);

/** The names of the tools a configuration offers, in the order prompts list them. */
export function toolNames({ tools }: Pick<AgentConfig, 'tools'>): string[] {
  return [
    ...(tools.search ? ['search_internet'] : []),
    ...(tools.browse ? ['browse_page'] : []),
    ...(tools.python ? ['code_interpreter'] : []),
    ...(tools.memory === 'clean' ? ['clean_memory'] : ['edit_result', 'delete_result']),
  ];
}

/** The tools for endpoints that take them, and for the text of a system prompt. */
export function toolSpecs(config: Pick<AgentConfig, 'tools'>): ToolSpec[] {
  return toolNames(config).map((name) => {
    const tool = TOOLS[name]!;
    const properties = Object.entries(tool.arguments).map(([key, { type, description, max }]) => [
      key,
      { type, description, ...(max === undefined ? {} : { maxLength: max }) },
    ]);
    return {
      name,
      description: tool.description,
      parameters: {
        type: 'object',
        properties: Object.fromEntries(properties) as Record<string, unknown>,
        required: Object.entries(tool.arguments).flatMap(([key, { required }]) => (required ? [key] : [])),
        additionalProperties: false,
      },
    };
  });
}

/** `{query: string}`: what a tool expects, in one line. */
const expected = ({ arguments: args }: Tool): string =>
  `{${Object.entries(args)
    .map(([key, { type, required }]) => `"${key}"${required ? '' : ' (optional)'}: ${type}`)
    .join(', ')}}`;

/**
 * Checks a call against the tools on offer. A call that cannot run gives the text its entry shows: it names the valid
 * tools, or the argument that is wrong and what is expected.
 */
export function checkCall(
  call: Call,
  config: Pick<AgentConfig, 'tools'>,
): { ok: true; call: Call } | { ok: false; code: 'unknown_tool' | 'bad_arguments'; text: string } {
  const names = toolNames(config);
  if (!names.includes(call.name)) {
    const name = call.name.slice(0, 60);
    return {
      ok: false,
      code: 'unknown_tool',
      text: `Unknown tool ${JSON.stringify(name)}. Tools: ${names.join(', ')}.`,
    };
  }
  const tool = TOOLS[call.name]!;
  const faults: string[] = [];
  for (const [key, argument] of Object.entries(tool.arguments)) {
    const fault = faultOf(key, argument, call.arguments[key]);
    if (fault) faults.push(fault);
  }
  for (const key of Object.keys(call.arguments)) {
    if (!Object.hasOwn(tool.arguments, key)) faults.push(`there is no argument ${key.slice(0, 40)}`);
  }
  if (faults.length > 0) {
    return {
      ok: false,
      code: 'bad_arguments',
      text: `Bad arguments for ${call.name}: ${faults.slice(0, 5).join('; ')}. Expected: ${expected(tool)}.`,
    };
  }
  // Null stands for an argument that is left out.
  const given = Object.entries(call.arguments).filter(([, value]) => value !== null);
  return { ok: true, call: { name: call.name, arguments: Object.fromEntries(given) } };
}

function faultOf(key: string, argument: Argument, value: Json | undefined): string | undefined {
  if (value === undefined || value === null) return argument.required ? `${key} is missing` : undefined;
  if (argument.type === 'integer') {
    return typeof value === 'number' && Number.isSafeInteger(value) ? undefined : `${key} must be an integer`;
  }
  if (typeof value !== 'string') return `${key} must be a string`;
  if (value.trim() === '' && key !== 'content') return `${key} is empty`;
  if (argument.max !== undefined && value.length > argument.max)
    return `${key} has ${value.length} characters, at most ${argument.max} are allowed`;
  return undefined;
}
