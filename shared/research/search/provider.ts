import { z } from 'zod';
import { invalidInput } from '#shared/task/errors.ts';

/** Which service searches the web, and how it is asked (specification deep-research, section 6). */

const SECRET = z.string().min(1).max(512);

export const SearchProviderSchema = z.strictObject({
  /** In the ledger and in cache keys. */
  name: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, 'must be lower-case letters, digits and dashes'),
  method: z.enum(['GET', 'POST']),
  url: z.url({ protocol: /^https?$/ }),
  /** `{key}` stands for the secret. */
  headers: z.record(z.string(), z.string()).default({}),
  /** Of the address (GET) or of the JSON body (POST). */
  queryParam: z.string().min(1).default('q'),
  /** Sent with every query. */
  params: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
  /** Where the list of results is, such as `web.results`; empty for an answer that is the list. */
  resultsPath: z.string().default(''),
  map: z.strictObject({ title: z.string(), url: z.string(), snippet: z.string() }),
  microUsdPerCall: z.int().nonnegative(),
  /** Names of secrets, whose keys take turns when one is throttled; none for a service without keys. */
  keySecret: z.union([SECRET, z.array(SECRET).min(1).max(20)]).optional(),
});

export type SearchProvider = z.infer<typeof SearchProviderSchema>;

export const SEARCH_PRESETS: Readonly<Record<string, SearchProvider>> = {
  serper: {
    name: 'serper',
    method: 'POST',
    url: 'https://google.serper.dev/search',
    headers: { 'X-API-KEY': '{key}' },
    queryParam: 'q',
    params: {},
    resultsPath: 'organic',
    map: { title: 'title', url: 'link', snippet: 'snippet' },
    microUsdPerCall: 1000,
    keySecret: 'SERPER_API_KEY',
  },
  brave: {
    name: 'brave',
    method: 'GET',
    url: 'https://api.search.brave.com/res/v1/web/search',
    headers: { 'X-Subscription-Token': '{key}' },
    queryParam: 'q',
    params: {},
    resultsPath: 'web.results',
    map: { title: 'title', url: 'url', snippet: 'description' },
    microUsdPerCall: 5000,
    keySecret: 'BRAVE_API_KEY',
  },
};

/**
 * The provider that the setting AGENTMILL_SEARCH names: `serper`, `brave`, or JSON: a whole provider, or
 * `{"preset": "serper", …}` with what is different. Undefined where it is not set.
 * @throws InvalidInput naming the field that is wrong.
 */
export function searchProvider(
  env: Readonly<Record<string, string | undefined>>,
): SearchProvider | undefined {
  const text = env.AGENTMILL_SEARCH?.trim();
  if (!text) return undefined;
  if (Object.hasOwn(SEARCH_PRESETS, text)) return SEARCH_PRESETS[text];
  const presets = Object.keys(SEARCH_PRESETS).join(', ');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalidInput(`AGENTMILL_SEARCH is neither a preset (${presets}) nor JSON.`);
  }
  const { preset, ...fields } = (value ?? {}) as Record<string, unknown>;
  if (preset !== undefined && !(typeof preset === 'string' && Object.hasOwn(SEARCH_PRESETS, preset)))
    throw invalidInput(`AGENTMILL_SEARCH.preset must be one of ${presets}.`);
  const base = preset === undefined ? {} : SEARCH_PRESETS[preset];
  const parsed = SearchProviderSchema.safeParse({ ...base, ...fields });
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'the whole'}: ${message}`,
  );
  throw invalidInput(`AGENTMILL_SEARCH is no search provider: ${faults.join('; ')}.`);
}
