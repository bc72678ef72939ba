import { scanNumbers, type NumberMention } from './numbers.ts';

/** Units of measurement and their SI values (BIPM SI brochure; NIST SP 811 for the customary ones). */

export interface Unit {
  /** Quantities of one dimension compare: `length`, `mass`, `ratio`, `money:usd` ... */
  dimension: string;
  factor: number;
  /** Added after scaling (temperatures). */
  offset?: number;
}

/** SI unit that canonical quantities of a dimension carry. */
export const SI_UNIT: Record<string, string> = {
  length: 'm', mass: 'kg', time: 's', area: 'm2', volume: 'm3', speed: 'm/s', temperature: 'K', data: 'B', power: 'W',
  energy: 'J', pressure: 'Pa', frequency: 'Hz', ratio: '1', voltage: 'V', current: 'A', angle: 'deg', force: 'N',
}; // prettier-ignore

const table: [string, number, string, number?][] = [
  ['length', 1e-3, 'mm|millimetre|millimeter'],
  ['length', 1e-2, 'cm|centimetre|centimeter'],
  ['length', 1, 'm|metre|meter'],
  ['length', 1e3, 'km|kilometre|kilometer'],
  ['length', 1e-6, 'µm|μm|micrometre|micrometer|micron'],
  ['length', 1e-9, 'nanometre|nanometer'],
  ['length', 1852, 'nm|nmi|nautical mile'],
  ['length', 1609.344, 'mi|mile'],
  ['length', 0.3048, 'ft|foot|feet'],
  ['length', 0.0254, 'inch|inches'],
  ['length', 0.9144, 'yd|yard'],
  ['length', 149597870700, 'au|astronomical unit'],
  ['length', 9460730472580800, 'light-year|light year'],
  ['mass', 1e-6, 'mg|milligram'],
  ['mass', 1e-9, 'µg|μg|mcg|microgram'],
  ['mass', 1e-3, 'g|gram|gramme'],
  ['mass', 1, 'kg|kilogram|kilogramme|kilo'],
  ['mass', 1e3, 't|tonne|metric ton|metric tonne'],
  ['mass', 1e6, 'kt|kiloton|kilotonne'],
  ['mass', 0.45359237, 'lb|lbs|pound'],
  ['mass', 0.028349523125, 'oz|ounce'],
  ['time', 1e-9, 'ns|nanosecond'],
  ['time', 1e-6, 'µs|μs|microsecond'],
  ['time', 1e-3, 'ms|millisecond'],
  ['time', 1, 's|sec|second'],
  ['time', 60, 'min|minute'],
  ['time', 3600, 'h|hr|hour'],
  ['time', 86400, 'day'],
  ['time', 604800, 'week'],
  ['time', 2629746, 'month'],
  ['time', 31556952, 'yr|year'],
  ['area', 1, 'm2|m²|sq m|square metre|square meter'],
  ['area', 1e6, 'km2|km²|sq km|square kilometre|square kilometer'],
  ['area', 1e4, 'ha|hectare'],
  ['area', 4046.8564224, 'acre'],
  ['area', 2589988.110336, 'sq mi|square mile'],
  ['area', 0.09290304, 'sq ft|square foot|square feet'],
  ['volume', 1e-6, 'ml|mL|millilitre|milliliter'],
  ['volume', 1e-3, 'l|L|litre|liter'],
  ['volume', 1, 'm3|m³|cu m|cubic metre|cubic meter'],
  ['volume', 1e9, 'km3|km³|cu km|cubic kilometre|cubic kilometer'],
  ['volume', 0.158987294928, 'bbl|barrel'],
  ['speed', 1, 'm/s|metres per second|meters per second|metre per second'],
  ['speed', 1 / 3.6, 'km/h|kph|kilometres per hour|kilometers per hour|kilometre per hour'],
  ['speed', 0.44704, 'mph|miles per hour|mile per hour'],
  ['speed', 1852 / 3600, 'knot|kn'],
  ['temperature', 1, '°C|℃|degrees celsius|degree celsius|celsius', 273.15],
  ['temperature', 5 / 9, '°F|℉|degrees fahrenheit|degree fahrenheit|fahrenheit', 459.67 * (5 / 9)],
  ['temperature', 1, 'K|kelvin|kelvins', 0],
  ['data', 1, 'byte'],
  ['data', 1 / 8, 'bit'],
  ['data', 1e3, 'kB|KB|kilobyte'],
  ['data', 1e6, 'MB|megabyte'],
  ['data', 1e9, 'GB|gigabyte'],
  ['data', 1e12, 'TB|terabyte'],
  ['data', 1024, 'KiB|kibibyte'],
  ['data', 1048576, 'MiB|mebibyte'],
  ['data', 1073741824, 'GiB|gibibyte'],
  ['power', 1, 'W|watt'],
  ['power', 1e3, 'kW|kilowatt'],
  ['power', 1e6, 'MW|megawatt'],
  ['power', 1e9, 'GW|gigawatt'],
  ['energy', 1, 'J|joule'],
  ['energy', 1e3, 'kJ|kilojoule'],
  ['energy', 3.6e6, 'kWh|kilowatt hour|kilowatt-hour'],
  ['energy', 4184, 'kcal|kilocalorie'],
  ['pressure', 1, 'Pa|pascal'],
  ['pressure', 100, 'hPa|hectopascal|mbar|millibar'],
  ['pressure', 1e3, 'kPa|kilopascal'],
  ['pressure', 1e5, 'bar'],
  ['frequency', 1, 'Hz|hertz'],
  ['frequency', 1e3, 'kHz|kilohertz'],
  ['frequency', 1e6, 'MHz|megahertz'],
  ['frequency', 1e9, 'GHz|gigahertz'],
  ['voltage', 1, 'V|volt'],
  ['current', 1, 'ampere|amp'],
  ['force', 1, 'newton'],
  ['angle', 1, '°|degree'],
  ['ratio', 0.01, '%|percent|per cent'],
  ['money:usd', 1, 'US dollar|dollar|USD'],
  ['money:eur', 1, 'euro|EUR'],
  ['money:gbp', 1, 'pounds sterling|GBP'],
]; // prettier-ignore

const exact = new Map<string, Unit>();
const folded = new Map<string, Unit>();
for (const [dimension, factor, names, offset] of table) {
  const unit: Unit = { dimension, factor, ...(offset === undefined ? {} : { offset }) };
  for (const name of names.split('|')) {
    exact.set(name, unit);
    // Symbols of up to three letters keep their case (mW, MW); words do not.
    if (name.length > 3 || /\s/.test(name)) {
      folded.set(name.toLowerCase(), unit);
      if (/[a-z]$/.test(name) && !name.endsWith('s')) folded.set(`${name.toLowerCase()}s`, unit);
    } else if (/^[a-z]+$/.test(name)) {
      exact.set(`${name}s`, unit);
    }
  }
}
for (const word of ['bit', 'day', 'bar', 'amp']) folded.set(`${word}s`, exact.get(word)!);
// `ms` is milliseconds, not several metres; `mins` and `hrs` stay.
exact.set('ms', { dimension: 'time', factor: 1e-3 });
exact.delete('gs');

/** The unit a text spells (`km`, `square metres`, `%`), else undefined. Symbols are read case-sensitively. */
export function unitNamed(text: string): Unit | undefined {
  const name = text.trim().replace(/\s+/g, ' ');
  return exact.get(name) ?? folded.get(name.toLowerCase());
}

export interface Quantity extends NumberMention {
  unit?: Unit;
  /** In SI units where there is a unit. */
  si: number;
}

const SYMBOL: Record<string, string> = { $: 'money:usd', '€': 'money:eur', '£': 'money:gbp' };
const AFTER = /^[ \u00a0-]?((?:°[CF]?|%|℃|℉|µ?\p{L}+[²³23]?)(?:\/\p{L}+)?(?:[ -]\p{L}+[²³]?){0,3})/u;

/** The unit that stands right after a number, longest first, and where it ends. */
function unitAfter(text: string, end: number): { unit: Unit; end: number } | undefined {
  const match = AFTER.exec(text.slice(end, end + 48));
  if (!match) return undefined;
  const lead = match[0].length - match[1]!.length;
  let name = match[1]!;
  for (;;) {
    const unit = unitNamed(name);
    if (unit) return { unit, end: end + lead + name.length };
    const cut = Math.max(name.lastIndexOf(' '), name.lastIndexOf('-'), name.lastIndexOf('/'));
    if (cut < 1) return undefined;
    name = name.slice(0, cut);
  }
}

const inSi = (value: number, unit: Unit): number => value * unit.factor + (unit.offset ?? 0);

/** Every number of a text with the unit that belongs to it, in SI. */
export function scanQuantities(text: string): Quantity[] {
  return scanNumbers(text).map((mention) => {
    const money = SYMBOL[text[mention.start - 1] ?? ''];
    if (money) return { ...mention, unit: { dimension: money, factor: 1 }, si: mention.value };
    if (mention.ordinal) return { ...mention, si: mention.value };
    const after = unitAfter(text, mention.end);
    if (!after) return { ...mention, si: mention.value };
    return {
      ...mention,
      end: after.end,
      text: text.slice(mention.start, after.end),
      unit: after.unit,
      si: inSi(mention.value, after.unit),
    };
  });
}

/** Whether two quantities of one dimension are equal within a relative error (default 1e-6). */
export function sameQuantity(a: Quantity, b: Quantity, tolerance = 1e-6): boolean {
  if (a.unit?.dimension !== b.unit?.dimension) return false;
  return a.si === b.si || Math.abs(a.si - b.si) <= tolerance * Math.max(Math.abs(a.si), Math.abs(b.si));
}
