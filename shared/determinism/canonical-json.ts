/**
 * RFC 8785 canonical JSON of a value: sorted keys (by UTF-16 code units), shortest numbers, no spaces. Undefined has no
 * form. Written here because it is on the path of every model call and its texts are long: a library in JavaScript
 * looks at each character, the engine's own `isWellFormed` and `JSON.stringify` do not (4 KiB: half the time).
 * @throws TypeError for non-finite numbers, lone surrogates, circular values and what JSON cannot hold.
 */
export function canonicalize(value: unknown, ancestors: readonly object[] = []): string | undefined {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed())
        throw new TypeError('A text with a lone surrogate has no canonical JSON form.');
      return JSON.stringify(value);
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

function ofObject(value: object, ancestors: readonly object[]): string | undefined {
  if (ancestors.includes(value)) throw new TypeError('A circular value has no canonical JSON form.');
  const inside = [...ancestors, value];
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return canonicalize(toJSON.call(value), inside);
  if (Array.isArray(value))
    return `[${value.map((element) => canonicalize(element, inside) ?? 'null').join()}]`;
  let members = '';
  for (const key of Object.keys(value).sort()) {
    const member = canonicalize((value as Record<string, unknown>)[key], inside);
    if (member !== undefined) members += `${members && ','}${canonicalize(key)}:${member}`;
  }
  return `{${members}}`;
}
