import { extractor } from '#shared/web/extractor.ts';
import { withoutTargets } from '#shared/web/link-targets.ts';
import type { TextConverters } from './documents.ts';

/** Documents are read as pages are: the agent learns of no address but from a search. */
export const documentConverters = (): TextConverters => ({
  plain: withoutTargets,
  html: (html) => extractor().extract(html),
});
