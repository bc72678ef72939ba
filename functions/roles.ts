import type { Role } from '#shared/models/role.ts';

/** Where each workflow's model roles are; loaded when one of them is first played. */
const WORKFLOWS: Record<string, () => Promise<{ roles: Role[] }>> = {
  'dataset-synthesis': () => import('./dataset-synthesis/roles.ts'),
  'deep-research': () => import('./deep-research/roles.ts'),
  'tool-library': () => import('./tool-library/roles.ts'),
  'research-questions': () => import('./research-questions/roles.ts'),
};

const loaded = new Map<string, Promise<ReadonlyMap<string, Role>>>();

/**
 * A role by its name, `<workflow>/<role>`; undefined where there is none.
 * @example (await roleOf('dataset-synthesis/filter'))?.version
 */
export async function roleOf(name: string): Promise<Role | undefined> {
  const workflow = name.slice(0, Math.max(0, name.indexOf('/')));
  if (!Object.hasOwn(WORKFLOWS, workflow)) return undefined;
  let roles = loaded.get(workflow);
  if (!roles) {
    roles = WORKFLOWS[workflow]!().then((module) => new Map(module.roles.map((role) => [role.name, role])));
    loaded.set(workflow, roles);
    // A failed load is tried again by the next call.
    roles.catch(() => loaded.delete(workflow));
  }
  return (await roles).get(name);
}
