import type { LibraryTool } from './types.ts';

/** How a tool reads to a search (section 10). */

export const wordsOfName = (name: string): string => name.replaceAll('_', ' ').replace(/\s+/g, ' ').trim();

export const parametersOf = (schema: LibraryTool['schema']): string[] => {
  const { properties } = schema;
  return typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
};

type Described = Pick<LibraryTool, 'name' | 'description' | 'schema' | 'path'>;

/** "name words. description. Parameters: a, b. Topic: path": what is embedded and what words are found in. */
export function searchText({ name, description, schema, path }: Described): string {
  const parameters = parametersOf(schema);
  return [
    wordsOfName(name),
    description.replace(/\s+/g, ' ').trim().replace(/\.$/, ''),
    ...(parameters.length > 0 ? [`Parameters: ${parameters.map(wordsOfName).join(', ')}`] : []),
    ...(path.length > 0 ? [`Topic: ${path.join(' / ')}`] : []),
  ]
    .filter((part) => part !== '')
    .join('. ')
    .concat('.');
}
