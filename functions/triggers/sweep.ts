import { catalog } from '#functions/catalog.ts';
import { createSweeper } from './sweeper.ts';

/** The Lambda that a schedule runs every 15 minutes. */
export const handler = createSweeper(catalog);
