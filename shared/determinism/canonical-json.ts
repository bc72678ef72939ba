/**
 * RFC 8785 canonical JSON of a value: sorted keys (by UTF-16 code units), shortest numbers, no spaces. Undefined has no
 * form. Written here because it is on the path of every model call and its texts are long: a library in JavaScript
 * looks at each character, the engine's own `isWellFormed` and `JSON.stringify` do not (4 KiB: half the time).
 * @throws TypeError for non-finite numbers, lone surrogates, circular values and what JSON cannot hold.
 */
export function canonicalize(value: unknown): string | undefined {
  return formOf(value, []);
}

function formOf(value: unknown, ancestors: object[]): string | undefined {
  switch (typeof value) {
    case 'string':
      return quoted(value);
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`${value} has no canonical JSON form.`);
      return JSON.stringify(value);
    case 'boolean':
      return String(value);
    case 'object':
      return value === null ? 'null' : ofObject(value, ancestors);
    case 'bigint':
      throw new TypeError('A bigint has no canonical JSON form.');
    default:
      return undefined;
  }
}

/** Names and other short words have nothing to escape: most of what is quoted. */
const PLAIN = /^[\w .:/#-]{0,40}$/;

function quoted(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new TypeError('A text with a lone surrogate has no canonical JSON form.');
  return JSON.stringify(text);
}

function ofObject(value: object, ancestors: object[]): string | undefined {
  if (ancestors.includes(value)) throw new TypeError('A circular value has no canonical JSON form.');
  ancestors.push(value);
  const form = membersOf(value, ancestors);
  ancestors.pop();
  return form;
}

function membersOf(value: object, ancestors: object[]): string | undefined {
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return formOf(toJSON.call(value), ancestors);
  if (Array.isArray(value)) return `[${value.map((element) => formOf(element, ancestors) ?? 'null').join()}]`;
  let members = '';
  for (const key of Object.keys(value).sort()) {
    const member = formOf((value as Record<string, unknown>)[key], ancestors);
    if (member !== undefined) members += `${members && ','}${quoted(key)}:${member}`;
  }
  return `{${members}}`;
}
