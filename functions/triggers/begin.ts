import { catalog } from '#functions/catalog.ts';
import { beginTask } from './begin-task.ts';

/** The platform's begin: every machine's first state (infra-api-cli sections 1 and 8). */
export const handler = beginTask(catalog);
