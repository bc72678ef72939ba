import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { catalog } from '#functions/catalog.ts';
import { parseRegistry } from '#shared/models/registry.ts';
import { checkCatalog, type Finding } from '#shared/task/check-catalog.ts';
import models from '../../models.json' with { type: 'json' };
import { definitionText } from './definitions.ts';

const FUNCTIONS = join(import.meta.dirname, '../../functions');

/** What is wrong with the catalog, its definitions and its models; empty when all is well. */
export function catalogFindings(): Finding[] {
  const registry = parseRegistry(models);
  const definitions = Object.fromEntries(
    catalog.map(({ definition }) => {
      try {
        return [definition, definitionText({ definition })];
      } catch {
        return [definition, undefined];
      }
    }),
  );
  return checkCatalog(catalog, definitions, [...registry.models.keys(), ...registry.routes.keys()], {
    entryExists: (module) => existsSync(join(FUNCTIONS, module)),
  });
}
