import { catalog } from '#functions/catalog.ts';
import { createApi } from './create-api.ts';

/** The HTTP API as a Lambda: API Gateway v2 events in, structured results out. */
export const handler = createApi({ catalog });
