import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseRegistry } from '#shared/models/registry.ts';
import { checkCatalog, type Finding } from '#shared/task/check-catalog.ts';
import models from '../models.json' with { type: 'json' };
import packageJson from '../package.json' with { type: 'json' };
import { catalog } from './catalog.ts';
import { definitionText } from './definitions.ts';

/**
 * What is wrong with the catalog, its definitions and its models; empty when all is well. Deployment and the embedded
 * platform stop on any finding.
 * @throws InvalidInput when models.json itself is not usable.
 */
export function catalogFindings(): Finding[] {
  const registry = parseRegistry(models);
  const definitions = Object.fromEntries(
    catalog.map((entry) => {
      try {
        return [entry.definition, definitionText(entry)];
      } catch {
        return [entry.definition, undefined];
      }
    }),
  );
  return checkCatalog(catalog, definitions, [...registry.models.keys(), ...registry.routes.keys()], {
    entryExists: (module) => existsSync(join(import.meta.dirname, module)),
    dependencies: new Set(Object.keys(packageJson.dependencies)),
  });
}
