import type { JobStatus } from '#shared/task/jobs.ts';

/** Exit codes of the command (infra-api-cli section 10). */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  budget: 3,
  cancelled: 4,
  notFound: 5,
  unreachable: 6,
  findings: 7,
  interrupted: 130,
} as const;

/** An error whose message is all the user needs; anything else is a defect and shows its stack. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;
  /** Printed under the message, a line each, and in the `--json` error object. */
  readonly details: string[];
  constructor(exitCode: number, message: string, details: string[] = []) {
    super(message);
    this.exitCode = exitCode;
    this.details = details;
  }
}

/** The exit code of a finished job; `strict` counts SUCCEEDED_WITH_ERRORS as a failure. */
export function exitCodeOf(status: JobStatus, strict: boolean): number {
  switch (status) {
    case 'SUCCEEDED':
      return EXIT.ok;
    case 'SUCCEEDED_WITH_ERRORS':
      return strict ? EXIT.failed : EXIT.ok;
    case 'BUDGET_EXHAUSTED':
      return EXIT.budget;
    case 'CANCELLED':
      return EXIT.cancelled;
    default:
      return EXIT.failed;
  }
}
