/** Comparing recorded values with ours: masks are wildcards, a text and the JSON it parses to are equal. */

const MASK = /<[a-z_]+(:\d+)?>|<[A-Za-z]+_\d+idx>/;
const WORD_MASKS = new Set(['date', 'x-amzn-RequestId', 'X-Amzn-Trace-Id', 'RequestId', 'start-date']);

const parsed = (value: unknown): unknown => {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
};

/** Cause of a failed function: only its type and message are compared. */
const isFunctionCause = (value: unknown): value is { errorType: string; errorMessage: string } =>
  typeof value === 'object' && value !== null && 'errorType' in value && 'errorMessage' in value;

/** @returns where and how the values differ, undefined where they do not */
export function compare(
  expected: unknown,
  got: unknown,
  volatile: string[] = [],
  path = '$.output',
): string | undefined {
  if (volatile.includes(path) && !isFunctionCause(parsed(expected)))
    return got === undefined ? `${path} is missing` : undefined;
  if (typeof expected === 'string' && WORD_MASKS.has(expected) && got !== undefined) return undefined;
  const a = parsed(expected);
  const b = parsed(got);
  if (isFunctionCause(a) && isFunctionCause(b)) {
    return a.errorType === b.errorType && a.errorMessage === b.errorMessage
      ? undefined
      : `${path}: ${a.errorType} / ${b.errorType}`;
  }
  if (typeof a === 'string' && typeof b === 'string')
    return sameText(a, b) ? undefined : `${path}: expected ${a}, got ${b}`;
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) {
    return Object.is(a, b) ? undefined : `${path}: expected ${JSON.stringify(a)}, got ${JSON.stringify(b)}`;
  }
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  for (const key of keys) {
    const at = Array.isArray(a)
      ? `${path}[${key}]`
      : path === '$.output' && key === 'output'
        ? path
        : `${path}.${key}`;
    const difference = compare(
      (a as Record<string, unknown>)[key],
      (b as Record<string, unknown>)[key],
      volatile,
      at,
    );
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function sameText(a: string, b: string): boolean {
  if (a === b) return true;
  if (!MASK.test(a)) return false;
  const escaped = a
    .split(new RegExp(MASK.source, 'g'))
    .filter((part) => part === undefined || !/^:\d+$/.test(part))
    .map((part) => (part ?? '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.*')}$`, 's').test(b);
}

/** Event types in order, those within a Parallel sorted, since their order is free. */
export function normalise(events: readonly (readonly [string, string?])[]): string[] {
  const types = events.map(([type]) => type);
  const out: string[] = [];
  let inside: string[] | undefined;
  for (const type of types) {
    if (type.startsWith('ParallelState')) {
      out.push(...(inside ?? []).sort());
      inside = type === 'ParallelStateStarted' ? [] : undefined;
      out.push(type);
    } else (inside ?? out).push(type);
  }
  return [...out, ...(inside ?? []).sort()];
}
