import { unitNamed } from '#shared/text/units.ts';

/** Nothing longer is a name; what follows it is not read. */
const MAX_CHARS = 500;
/** A stop: `;`, `(`, a comma that is none of a number's, or a dash between spaces. */
const STOP = /;|\(|,(?!\d{3})| [-–—] /;
/** A last number and what may be its unit: up to three words, or a sign. */
const QUANTITY = /\s+[~<>]?[-−+]?\d[\d.,]*\s?(?<unit>[\p{L}°%²³/]+(?:[ -][\p{L}²³]+){0,2})$/u;

/**
 * The head of a fact's value: what stands before the first stop, without a trailing number with its unit; the whole
 * value where nothing would be left.
 *
 * @example headOf('Maja e Korabit (Golem Korab) 2,764 m') === 'Maja e Korabit'
 * @example headOf('28,748 sq km') === '28,748 sq km'
 */
export function headOf(whole: string): string {
  const value = whole.slice(0, MAX_CHARS);
  const stop = STOP.exec(value);
  const before = (stop ? value.slice(0, stop.index) : value).trim();
  if (before === '') return value.trim();
  const quantity = QUANTITY.exec(before);
  return quantity && unitNamed(quantity.groups!.unit!) ? before.slice(0, quantity.index).trim() : before;
}
