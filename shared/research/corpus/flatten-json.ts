/** JSON documents as text: headings for objects, `- key: value` lines for what they hold. */

const MAX_DEPTH = 24;

type Value = null | boolean | number | string | Value[] | { [key: string]: Value };

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();

const isScalar = (value: Value): value is null | boolean | number | string =>
  value === null || typeof value !== 'object';

/** `{text: …}` stands for what it holds. */
function unwrapped(value: Value): Value {
  let inner = value;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    if (isScalar(inner) || Array.isArray(inner)) return inner;
    const keys = Object.keys(inner);
    if (keys.length !== 1 || keys[0] !== 'text') return inner;
    inner = inner.text!;
  }
  return inner;
}

/** What a list or scalar says in one line; undefined for what needs a heading, empty for nothing. */
function inline(value: Value): string | undefined {
  if (value === null) return '';
  if (isScalar(value)) return oneLine(String(value));
  if (!Array.isArray(value)) return undefined;
  const parts = value.map((item) => {
    const inner = unwrapped(item);
    return isScalar(inner) ? inline(inner)! : undefined;
  });
  return parts.includes(undefined) ? undefined : parts.filter((part) => part !== '').join('; ');
}

/**
 * Flattens a value: members that fit one line first, then a heading for each that does not (level 2 and below, at most
 * 6). A sole `text` key is unwrapped, null is left out, lists of scalars are joined by `; `.
 *
 * @example flattenJson({Area: {total: {text: '28,748 sq km'}}}) === '## Area\n- total: 28,748 sq km'
 */
export function flattenJson(json: unknown): string {
  const lines: string[] = [];
  write(unwrapped(json as Value), 2, lines);
  return lines.join('\n').trim();
}

function write(value: Value, level: number, lines: string[]): void {
  const whole = inline(value);
  if (whole !== undefined) {
    if (whole !== '') lines.push(whole);
    return;
  }
  if (level > MAX_DEPTH) {
    lines.push(oneLine(JSON.stringify(value)));
    return;
  }
  const members: [string, Value][] = Array.isArray(value)
    ? value.map((item, index) => [nameOf(item, index), item])
    : Object.entries(value as Record<string, Value>);
  const nested: [string, Value][] = [];
  for (const [key, member] of members) {
    const inner = unwrapped(member);
    const text = inline(inner);
    if (text === undefined) nested.push([oneLine(key), inner]);
    else if (text !== '') lines.push(oneLine(key) === '' ? `- ${text}` : `- ${oneLine(key)}: ${text}`);
  }
  for (const [key, member] of nested) {
    const at = lines.length;
    write(member, level + 1, lines);
    if (lines.length > at && key !== '') lines.splice(at, 0, '', `${'#'.repeat(Math.min(level, 6))} ${key}`);
  }
}

/** What an element of a list is called: its own name, else its number. */
function nameOf(item: Value, index: number): string {
  if (!isScalar(item) && !Array.isArray(item)) {
    for (const key of ['name', 'title', 'id']) {
      const name = item[key];
      if (typeof name === 'string' && name.trim() !== '') return name;
    }
  }
  return String(index + 1);
}
