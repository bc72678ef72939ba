import type { LibraryTool } from './types.ts';

/** How a tool reads to a search (section 10). */

export const wordsOfName = (name: string): string => name.replaceAll('_', ' ').replace(/\s+/g, ' ').trim();

export const parametersOf = (schema: LibraryTool['schema']): string[] => {
  const { properties } = schema;
  return typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
};

/** What the schema says of the parameters: words for them that a question may use, and their names do not have. */
export function wordsOfParameters({ properties }: LibraryTool['schema']): string {
  if (typeof properties !== 'object' || properties === null) return '';
  return Object.values(properties)
    .flatMap((each) => {
      const { description } = (each ?? {}) as { description?: unknown };
      return typeof description === 'string' ? [description] : [];
    })
    .join('. ');
}

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
