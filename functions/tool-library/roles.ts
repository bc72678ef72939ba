import type { Role } from '#shared/models/role.ts';
import { assignClustersRole } from './roles/assign-clusters.ts';
import { extractToolsRole } from './roles/extract-tools.ts';
import { fixSyntaxRole } from './roles/fix-syntax.ts';
import { judgeToolsRole } from './roles/judge-tools.ts';
import { refineToolsRole } from './roles/refine-tools.ts';
import { seedClustersRole } from './roles/seed-clusters.ts';
import { solveWithToolsRole } from './roles/solve-with-tools.ts';
import { updateClustersRole } from './roles/update-clusters.ts';
import { blueprintRole } from './roles/blueprint.ts';
import { widenBlueprintRole } from './roles/widen-blueprint.ts';
import { reviewBlueprintRole } from './roles/review-blueprint.ts';
import { writeCodeRole } from './roles/write-code.ts';
import { reviewCodeRole } from './roles/review-code.ts';
import { patchCodeRole } from './roles/patch-code.ts';

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
  blueprintRole,
  widenBlueprintRole,
  reviewBlueprintRole,
  writeCodeRole,
  reviewCodeRole,
  patchCodeRole,
] as unknown as Role[];
