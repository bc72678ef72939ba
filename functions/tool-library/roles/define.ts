import { fencedRole, type FencedRole } from '#shared/models/fenced-role.ts';
import type { Role } from '#shared/models/role.ts';
import type { RoleKey } from '../input.ts';

export type RoleDefinition<Input, Output> = Omit<FencedRole<Input, Output>, 'name'> & { key: RoleKey };

/** A role of tool-library, by its key. */
export function toolLibraryRole<Input, Output>({
  key,
  ...definition
}: RoleDefinition<Input, Output>): Role<Input, Output> {
  return fencedRole({ ...definition, name: `tool-library/${key}` });
}
