/** robots.txt (RFC 9309): what a site lets our agent read. */

/** What rules name us by, and what requests carry. */
export const ROBOT = 'agentmill';

interface Rule {
  allow: boolean;
  pattern: string;
}

const MAX_LINES = 20_000;
const MAX_PATTERN = 2000;

/**
 * Whether a path (with its query) may be read under a robots.txt: the group that names us, else the one for all; of
 * the rules that match, the longest, and `Allow` before `Disallow` of one length.
 */
export function robotsAllow(robots: string, path: string): boolean {
  if (path === '/robots.txt') return true;
  let best: Rule | undefined;
  for (const rule of rulesFor(robots)) {
    if (
      best &&
      (rule.pattern.length < best.pattern.length ||
        (rule.pattern.length === best.pattern.length && !rule.allow))
    )
      continue;
    if (matches(rule.pattern, path)) best = rule;
  }
  return best?.allow ?? true;
}

function rulesFor(robots: string): Rule[] {
  const own: Rule[] = [];
  const others: Rule[] = [];
  let named = false;
  let agents: string[] = [];
  let open = false;
  for (const raw of robots.split(/\r\n|\r|\n/, MAX_LINES)) {
    const line = raw.replace(/#.*$/, '');
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const field = line.slice(0, colon).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (field === 'user-agent') {
      if (!open) agents = [];
      open = true;
      agents.push(value.toLowerCase());
      named ||= isOurs(value);
    } else if (field === 'allow' || field === 'disallow') {
      open = false;
      // An empty pattern matches nothing.
      if (value === '' || value.length > MAX_PATTERN) continue;
      const rule = { allow: field === 'allow', pattern: decoded(value) };
      if (agents.some(isOurs)) own.push(rule);
      if (agents.includes('*')) others.push(rule);
    }
  }
  return named ? own : others;
}

const isOurs = (agent: string): boolean => agent.toLowerCase().split(/[/\s]/)[0] === ROBOT;

/** One spelling of percent-encodings. */
function decoded(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

/** `*` stands for anything, a last `$` for the end; else the pattern is the path's beginning. Linear in both. */
function matches(pattern: string, encoded: string): boolean {
  const path = decoded(encoded);
  const toEnd = pattern.endsWith('$');
  const parts = (toEnd ? pattern.slice(0, -1) : pattern).split('*');
  const first = parts.shift()!;
  if (!path.startsWith(first)) return false;
  if (parts.length === 0) return !toEnd || path.length === first.length;
  let at = first.length;
  const last = toEnd ? parts.pop()! : '';
  for (const part of parts) {
    const found = path.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return !toEnd || (path.length - last.length >= at && path.endsWith(last));
}
