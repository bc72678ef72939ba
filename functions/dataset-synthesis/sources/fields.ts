import type { Source } from '../records.ts';

/** The columns a record's fields are read from, first one present wins (specification section 2). */
const ALIASES = {
  text: [
    'text',
    'content',
    'body',
    'raw_content',
    'document',
    'pretrain_text',
    'original_material',
    'original_text',
  ],
  title: ['title', 'name'],
  id: ['id', 'doc_id', '_id'],
  uri: ['url', 'uri', 'source'],
  licence: ['licence', 'license'],
  lang: ['lang', 'language'],
  attribution: ['attribution'],
} as const;

export type FieldName = keyof typeof ALIASES;

const NAMES = Object.keys(ALIASES) as FieldName[];

/** Bytes of JSON that other columns may take. */
const META_BYTES = 4096;

export interface RecordFields extends Partial<Record<FieldName, string>> {
  /** The other columns, in their order while they fit in 4 KiB; `_omitted` counts those that did not. */
  meta: Record<string, unknown>;
}

/** Reads the fields of one source record; a text that is missing, blank or no string is left out. */
export function fieldsOf(record: Record<string, unknown>, source: Pick<Source, 'fields'>): RecordFields {
  const fields: RecordFields = { meta: {} };
  const used = new Set<string>();
  for (const name of NAMES) {
    const columns = source.fields?.[name] === undefined ? ALIASES[name] : [source.fields[name]];
    for (const column of columns) {
      const value = Object.hasOwn(record, column) ? textOf(record[column], name) : undefined;
      if (value === undefined) continue;
      fields[name] = value;
      used.add(column);
      break;
    }
  }
  fields.meta = metaOf(Object.entries(record).filter(([column]) => !used.has(column)));
  return fields;
}

function textOf(value: unknown, name: FieldName): string | undefined {
  if (typeof value === 'string') return value.trim() === '' ? undefined : value;
  const simple = typeof value === 'number' || typeof value === 'bigint';
  return simple && name !== 'text' ? String(value) : undefined;
}

function metaOf(columns: [string, unknown][]): Record<string, unknown> {
  const meta: Record<string, unknown> = {};
  let bytes = 2;
  let omitted = 0;
  for (const [column, value] of columns) {
    const json = jsonOf(value);
    if (json === undefined) continue;
    const size = Buffer.byteLength(JSON.stringify(column)) + Buffer.byteLength(json) + 2;
    if (bytes + size > META_BYTES - 20) {
      omitted++;
      continue;
    }
    bytes += size;
    Object.defineProperty(meta, column, {
      value: JSON.parse(json),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  if (omitted > 0) meta._omitted = omitted;
  return meta;
}

/** The JSON of a value as readers give it: big integers and dates become text. Undefined where it has none. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, (_, item: unknown) =>
      typeof item === 'bigint' ? String(item) : typeof item === 'string' ? item.toWellFormed() : item,
    );
  } catch {
    return undefined;
  }
}
