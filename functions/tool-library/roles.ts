import type { Role } from '#shared/models/role.ts';
import { assignClustersRole } from './roles/assign-clusters.ts';
import { extractToolsRole } from './roles/extract-tools.ts';
import { fixSyntaxRole } from './roles/fix-syntax.ts';
import { judgeToolsRole } from './roles/judge-tools.ts';
import { refineToolsRole } from './roles/refine-tools.ts';
import { seedClustersRole } from './roles/seed-clusters.ts';
import { solveWithToolsRole } from './roles/solve-with-tools.ts';
import { updateClustersRole } from './roles/update-clusters.ts';

/** The model roles of tool-library (specification section 5), one file each in `roles/`. */
export const roles = [
  extractToolsRole,
  fixSyntaxRole,
  solveWithToolsRole,
  judgeToolsRole,
  refineToolsRole,
  seedClustersRole,
  updateClustersRole,
  assignClustersRole,
] as unknown as Role[];
