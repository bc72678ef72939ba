import { catalogFindings } from '#functions/catalog-check.ts';
import { catalog } from '#functions/catalog.ts';
import { routes } from '#functions/api/routes.ts';
import { parseRegistry } from '#shared/models/registry.ts';
import { describeFindings } from '#shared/task/check-catalog.ts';
import models from '../models.json' with { type: 'json' };
import type { PlatformProps } from './platform.ts';

/**
 * What is deployed: the catalog, the API's routes and the enabled models.
 * @throws Error listing every finding when catalog, definitions and models do not fit together.
 */
export function checkedPlatform(): Omit<PlatformProps, 'version'> {
  const findings = catalogFindings();
  if (findings.length > 0) throw new Error(`The catalog does not fit:\n${describeFindings(findings)}`);
  return {
    catalog,
    routes,
    models: [...parseRegistry(models).models.values()].filter((model) => model.enabled),
  };
}
