import { wordsOfName } from './text.ts';
import type { LibraryTool } from './types.ts';

/** A library's tools as other programs expect them (section 10). */

type Described = Pick<LibraryTool, 'name' | 'description' | 'schema'>;

/** OpenAI refuses longer descriptions. */
const MAX_DESCRIPTION = 1024;

export interface OpenAiTool {
  type: 'function';
  function: { name: string; description: string; parameters: Record<string, unknown> };
}

/** A tool as OpenAI-compatible servers take it in `tools`. */
export const openAiTool = ({ name, description, schema }: Described): OpenAiTool => ({
  type: 'function',
  function: { name, description: described(name, description), parameters: schema },
});

export interface McpTool {
  name: string;
  title: string;
  description: string;
  inputSchema: { type: 'object'; [member: string]: unknown };
  annotations: {
    title: string;
    readOnlyHint: true;
    destructiveHint: false;
    idempotentHint: true;
    openWorldHint: false;
  };
}

/** A tool as the Model Context Protocol lists it: it reads nothing, changes nothing and reaches nobody. */
export function mcpTool({ name, description, schema }: Described): McpTool {
  const title = titleOf(name);
  return {
    name,
    title,
    description: described(name, description),
    inputSchema: { ...schema, type: 'object' },
    annotations: {
      title,
      readOnlyHint: true,
      destructiveHint: false,
      idempotentHint: true,
      openWorldHint: false,
    },
  };
}

const described = (name: string, description: string): string => {
  const text = description.trim() === '' ? `${titleOf(name)}.` : description.trim();
  return text.length > MAX_DESCRIPTION ? `${text.slice(0, MAX_DESCRIPTION - 1)}…` : text;
};

const titleOf = (name: string): string => {
  const words = wordsOfName(name);
  return words.charAt(0).toUpperCase() + words.slice(1);
};
