import type { Role } from '#shared/models/role.ts';
import { gradeReportRole } from './roles/grade-report.ts';
import { rankReportsRole } from './roles/rank-reports.ts';
import { researchStepRole } from './roles/research-step.ts';
import { verifyAnswerRole } from './roles/verify-answer.ts';

/** The model roles of deep-research (specification section 8): the agent itself, and its judges. */
export const roles: Role[] = [
  researchStepRole as unknown as Role,
  verifyAnswerRole as unknown as Role,
  gradeReportRole as unknown as Role,
  rankReportsRole as unknown as Role,
];
