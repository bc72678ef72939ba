import type { Role } from '#shared/models/role.ts';
import { extendHopRole } from './roles/extend-hop.ts';
import { validateQuestionRole } from './roles/validate-question.ts';
import { writeRubricRole } from './roles/write-rubric.ts';

/** The model roles of research-questions (specification deep-research, section 8). */
export const roles: Role[] = [
  extendHopRole as unknown as Role,
  validateQuestionRole as unknown as Role,
  writeRubricRole as unknown as Role,
];
