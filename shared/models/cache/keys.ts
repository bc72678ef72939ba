/** Where a cached answer is, by its cache key, and for how long. */

export const TTL_SECONDS = 30 * 86_400;

export const recordKey = (key: string) => ({ pk: `CACHE#${key}`, sk: 'RESULT' });

/** Of answers too large for a record. */
export const artifactKey = (key: string): string => `cache/${key.slice(0, 2)}/${key}.json`;
