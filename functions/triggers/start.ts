import { catalog } from '#functions/catalog.ts';
import { createStarter } from './starter.ts';

/** The Lambda of the queue `starts`. */
export const handler = createStarter(catalog);
