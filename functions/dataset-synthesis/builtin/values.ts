/** Values of key-value lines: what they state, and the qualifiers that belong into the question. */

export interface Value {
  /** Without qualifiers and notes. */
  bare: string;
  /** `2025`, `2019-2021`. */
  year?: string;
  estimated: boolean;
  /** `24 July 2022` of "(since 24 July 2022)". */
  since?: string;
  /** What follows the qualifier. */
  tail: string;
}

const QUALIFIER =
  /\s*\((?:(?<lead>as of|in|on|est\.?|estimate|since|from)\s+)?(?<when>(?:(?:\d{1,2}\s+)?[A-Z][a-z]{2,8}\s+)?(?:19|20)\d{2}(?:\s?[-–]\s?(?:(?:19|20)?\d{2}))?)(?<est>[,\s]*(?:est\.?|estimate|estimated|projection|FY))?\)/;

/** Splits a value at its first dated qualifier: `64.6% of total population (2023)`. */
export function readValue(text: string): Value {
  const value = text.replace(/\s+/g, ' ').trim();
  const match = QUALIFIER.exec(value);
  if (!match) return { bare: value.replace(/[;.]$/, ''), estimated: false, tail: '' };
  const groups = match.groups!;
  const out: Value = {
    bare: value.slice(0, match.index).trim(),
    estimated: groups.est !== undefined || groups.lead?.startsWith('est') === true,
    tail: value.slice(match.index + match[0].length).trim(),
  };
  if (groups.lead === 'since' || groups.lead === 'from') out.since = groups.when!;
  else out.year = groups.when!;
  return out;
}

export const NUMBER = String.raw`[-−]?\d[\d,]*(?:\.\d+)?(?: (?:thousand|million|billion|trillion))?`;
const UNIT = String.raw`(?:sq km|sq mi|km2|km²|km|m|cm|mm|mi|miles?|ft|feet|nm|ha|hectares|acres|kg|g|tonnes|metric tons|metric tonnes|tons|years|months|weeks|days|hours|minutes|seconds|kW|MW|GW|kWh|MWh|GWh|bbl\/day|barrels|cubic meters|cubic metres|litres|liters|million Btu\/person|metres|meters|kilometres|kilometers|kt|°C|°F|K|V|W|Hz|MHz|GHz|kHz|MB|GB|KB|TB|bytes|bits|km\/h|mph|m\/s|knots|Pa|kPa|hPa|bar|eV|u|mL|ml|L|l|euros?|pounds|dollars)`;

/** Patterns for whole bare values; group `a` is the answer. */
export const PATTERN = {
  number: new RegExp(`^(?<a>${NUMBER})$`),
  quantity: new RegExp(`^(?<a>${NUMBER} ?${UNIT})$`),
  percent: /^(?<a>[-−]?\d[\d,]*(?:\.\d+)?%)(?: \(?of .+)?$/,
  money: /^(?<a>[-−]?(?:US)?[$€£] ?\d[\d,]*(?:\.\d+)?(?: (?:thousand|million|billion|trillion))?)$/,
  /** A proper name of up to six words; a bracketed variant becomes an alias. */
  name: /^(?<a>\p{Lu}[\p{L}\p{M}'’.-]*(?: (?:of|de|da|do|del|della|di|du|des|la|le|les|the|and|y|von|van|der|den|al|el|\p{Lu}[\p{L}\p{M}'’.-]*)){0,5})(?: \((?<alias>\p{Lu}[\p{L}\p{M}'’. -]{1,40})\))?$/u,
} as const;

/** A list of plain items, else undefined. */
export function plainList(value: string): string[] | undefined {
  const items = value.split(/\s*[;,]\s*/).map((item) => item.trim());
  if (items.length < 2 || items.length > 8) return undefined;
  const plain = items.every(
    (item) =>
      /^[\p{L}][\p{L}'’ -]{1,30}$/u.test(item) &&
      item.split(' ').length <= 3 &&
      !/\b(?:and|or|note|other|including|e\.g|etc|none|with|by|of which)\b/i.test(item),
  );
  return plain ? items : undefined;
}
