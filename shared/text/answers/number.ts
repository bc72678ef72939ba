import { parseNumber, scanNumbers } from '../numbers.ts';
import { unitNamed } from '../units.ts';

/** Numbers as answers write them, kept exact where their digits are. */

export interface Exact {
  n: bigint;
  /** Above 0. */
  d: bigint;
}

export interface NumberAnswer {
  kind: 'number';
  text: string;
  value: number;
  /** Absent where the value is a float whose digits mean nothing. */
  exact?: Exact;
  /** Integers and fractions compare exactly with each other. */
  form: 'integer' | 'fraction' | 'decimal' | 'float';
  /** Power of ten of the last digit written after a decimal point; only then does a gold answer take what rounds to it. */
  place?: number;
  percent: boolean;
  unit?: string;
}

export interface Tolerance {
  relTol: number;
  absTol: number;
  /** Whether a gold answer with decimals takes values that round to it. */
  rounding: boolean;
  /** Integers and fractions must be equal, whatever the tolerances. */
  exact: boolean;
}

const MAX_DIGITS = 1000;
const MAX_EXPONENT = 400;

const INFINITE = /^([+-]?) ?(?:∞|\\infty|oo|inf|infinity)$/i;
const MIXED_TEX = /^([+-]?) ?(\d{1,40}) ?\\[dt]?frac ?\{ ?(\d{1,40}) ?\} ?\{ ?(\d{1,40}) ?\}/;
const TEX = /^([+-]?) ?\\[dt]?frac ?(?:\{ ?([+-]?\d{1,40}) ?\}|(\d)) ?(?:\{ ?(\d{1,40}) ?\}|(\d))/;
const MIXED = /^([+-]?) ?(\d{1,40})(?: |-)(\d{1,40}) ?\/ ?(\d{1,40})/;
const FRACTION = /^([+-]?) ?(\d{1,40}) ?\/ ?([+-]?\d{1,40})(?![\d.])/;
const DECIMAL =
  /^([+-]?) ?(\d{1,3}(?:,\d{3})+(?!\d)|\d{1,1000})?(?:\.(\d{0,1000}))?(?:[eE]([+-]?\d{1,4})(?![\dA-Za-z])| ?(?:\\times|\\cdot|[×·*x]) ?10 ?(?:\^|\*\*) ?(?:\{ ?([+-]?\d{1,4}) ?\}|\(([+-]?\d{1,4})\)|([+-]?\d{1,4}))| ?(?:\\times|×) ?10(?!\d|\^|\.))?/;

/** Words that never are part of a unit: what follows them is another answer, or a doubt. */
const NO_UNIT =
  /(?<![\p{L}])(?:and|or|to|plus|minus|times|by|from|but|not|if|when|is|are|was|maybe|pi|sqrt|sin|cos|tan|log|ln|exp|theta|alpha|beta)(?![\p{L}])/iu;
const UNIT =
  /^(?:° ?[CF]|[\p{L}µΩ][\p{L}]{0,30}(?:\^?\{?-?\d\}?)?)(?:(?: ?\/ ?| ?[·*] ?|[ -])(?:[\p{L}µΩ][\p{L}]{0,30}(?:\^?\{?-?\d\}?)?)){0,3}$/u;

const pow10 = (power: number): bigint => 10n ** BigInt(power);

const quotient = ({ n, d }: Exact): number => {
  const direct = Number(n) / Number(d);
  if (Number.isFinite(direct)) return direct;
  // Both beyond the range of floats: cut them alike.
  const shift = BigInt(Math.max(0, Math.min(n.toString(2).length, d.toString(2).length) - 1000));
  return Number(n >> shift) / Number(d >> shift || 1n);
};

interface Lead {
  exact: Exact;
  form: NumberAnswer['form'];
  place?: number;
  rest: string;
}

function fraction(sign: string, n: bigint, d: bigint, rest: string): Lead | undefined {
  if (d === 0n) return undefined;
  const negative = (sign === '-') !== d < 0n;
  const size = d < 0n ? -d : d;
  return { exact: { n: negative ? -n : n, d: size }, form: 'fraction', rest };
}

/** The number a text begins with. */
function lead(text: string): Lead | undefined {
  let match = MIXED_TEX.exec(text);
  if (match) {
    const [whole, sign, units, top, bottom] = match as unknown as [string, string, string, string, string];
    return fraction(
      sign,
      BigInt(units) * BigInt(bottom) + BigInt(top),
      BigInt(bottom),
      text.slice(whole.length),
    );
  }
  match = TEX.exec(text);
  if (match) {
    return fraction(
      match[1]!,
      BigInt(match[2] ?? match[3]!),
      BigInt(match[4] ?? match[5]!),
      text.slice(match[0].length),
    );
  }
  match = MIXED.exec(text);
  if (match && BigInt(match[3]!) < BigInt(match[4]!)) {
    const bottom = BigInt(match[4]!);
    return fraction(
      match[1]!,
      BigInt(match[2]!) * bottom + BigInt(match[3]!),
      bottom,
      text.slice(match[0].length),
    );
  }
  match = FRACTION.exec(text);
  if (match) return fraction(match[1]!, BigInt(match[2]!), BigInt(match[3]!), text.slice(match[0].length));
  match = DECIMAL.exec(text);
  if (!match || (match[2] === undefined && !match[3])) return undefined;
  const rest = text.slice(match[0].length);
  if (/^[\d.]/.test(rest)) return undefined;
  const whole = (match[2] ?? '').replaceAll(',', '');
  const decimals = match[3] ?? '';
  const times = /(?:\\times|×) ?10$/.test(match[0]) && !/\d *$/.test(match[0].slice(0, -2)) ? 1 : 0;
  const exponent = Number(match[4] ?? match[5] ?? match[6] ?? match[7] ?? times);
  if (Math.abs(exponent) > MAX_EXPONENT || whole.length + decimals.length > MAX_DIGITS) return undefined;
  const place = exponent - decimals.length;
  let n = BigInt(whole + decimals);
  if (match[1] === '-') n = -n;
  const exact = place >= 0 ? { n: n * pow10(place), d: 1n } : { n, d: pow10(-place) };
  return {
    exact,
    form: decimals === '' && place >= 0 ? 'integer' : 'decimal',
    ...(decimals === '' ? {} : { place }),
    rest,
  };
}

/**
 * Reads a whole undressed text as one number with at most a percent sign or a unit; undefined where it is anything
 * else. A single letter right after the digits (`5x`) is an unknown unless `letters` and it is a unit's symbol.
 */
export function readNumber(text: string, options: { letters?: boolean } = {}): NumberAnswer | undefined {
  if (text.length > 2 * MAX_DIGITS) return undefined;
  const infinite = INFINITE.exec(text);
  const plain = { kind: 'number' as const, text, percent: false };
  if (infinite) return { ...plain, value: infinite[1] === '-' ? -Infinity : Infinity, form: 'float' };
  if (/^nan$/i.test(text)) return { ...plain, value: NaN, form: 'float' };
  const read = lead(text);
  if (!read) return readWords(text);
  const { exact, form, place, rest } = read;
  const number: NumberAnswer = {
    ...plain,
    value: quotient(exact),
    exact,
    form,
    ...(place === undefined ? {} : { place }),
  };
  const after = rest.trim();
  if (after === '') return number;
  if (after === '%' || /^per ?cent$/i.test(after)) return { ...number, percent: true };
  const scaled = /^(thousand|million|billion|trillion)(?![\p{L}])/iu.exec(after);
  if (scaled && /^ /.test(rest)) {
    const words = readWords(`${text.slice(0, text.length - rest.length)} ${scaled[1]!}`);
    const unit = after.slice(scaled[0].length).trim();
    if (!words || (unit !== '' && !isUnit(unit))) return undefined;
    return { ...words, text, ...(unit === '' ? {} : { unit }) };
  }
  const glued = !rest.startsWith(' ') && /^\p{L}/u.test(rest);
  if (glued && after.length === 1 && !(options.letters && unitNamed(after))) return undefined;
  if (glued && after.length > 1 && !unitNamed(after) && !isCompound(after)) return undefined;
  if (!glued && after.length === 1 && !unitNamed(after)) return undefined;
  return isUnit(after) ? { ...number, unit: after } : undefined;
}

const isUnit = (text: string): boolean => UNIT.test(text) && !NO_UNIT.test(text);

const isCompound = (text: string): boolean =>
  text.split(/[ /·*]/).every((part) => unitNamed(part.replace(/\^?\{?-?\d\}?$/, '')) !== undefined);

/** `twenty-four`, `1.2 million`: whole texts only, no ordinals. */
function readWords(text: string): NumberAnswer | undefined {
  if (text.length > 200 || !/^[+-]?[\d.,]*[ -]?\p{L}[\p{L} -]*$/u.test(text)) return undefined;
  const [mention] = scanNumbers(text);
  const value = parseNumber(text);
  if (value === undefined || mention?.ordinal) return undefined;
  return { ...numberOf(value), text };
}

/** A JSON number: whole ones are exact while floats can tell them apart. */
export function numberOf(value: number): NumberAnswer {
  const text = String(value);
  const base = { kind: 'number' as const, text, value, percent: false };
  if (Number.isSafeInteger(value)) return { ...base, exact: { n: BigInt(value), d: 1n }, form: 'integer' };
  const decimals = Number.isFinite(value) ? /^-?\d*\.(\d+)(?:e([+-]\d+))?$/.exec(text) : null;
  if (!decimals) return { ...base, form: 'float' };
  return { ...base, form: 'decimal', place: Number(decimals[2] ?? 0) - decimals[1]!.length };
}

/** The name that equal units share: the singular, or what the table of units calls it. */
function unitKey(text: string): string {
  const whole = unitNamed(text.replace(/^° /, '°'));
  if (whole) return `${whole.dimension}:${whole.factor}:${whole.offset ?? 0}`;
  const parts = text.split(/ ?\/ ?| per /);
  if (parts.length > 1) return parts.map(unitKey).join('/');
  const power = /^(.+?)\^?\{?(-?\d)\}?$/.exec(text);
  if (power) return `${unitKey(power[1]!)}^${power[2]!}`;
  const lower = text.toLowerCase().trim();
  return lower.length > 3
    ? lower.replace(/(?<=[a-z])ies$/, 'y').replace(/(?<=(?:ch|sh|x|s))es$|(?<=[^s])s$/, '')
    : lower;
}

/** Whether two units are one up to plural and abbreviation; nothing is converted. */
export const sameUnit = (a: string, b: string): boolean => unitKey(a) === unitKey(b);

/** Rounds half away from zero at a power of ten, exactly where both are exact. */
function roundsTo(value: Pick<NumberAnswer, 'value' | 'exact'>, gold: NumberAnswer): boolean {
  const place = gold.place!;
  if (value.exact && gold.exact) {
    // 2·|v - g|·10^-place against 1
    const { n, d } = value.exact;
    const difference = n * gold.exact.d - gold.exact.n * d;
    const outward = difference >= 0n === gold.exact.n >= 0n;
    const size = (difference < 0n ? -difference : difference) * 2n;
    const unit = d * gold.exact.d;
    const left = place < 0 ? size * pow10(-place) : size;
    const right = place < 0 ? unit : unit * pow10(place);
    return left < right || (left === right && !outward);
  }
  const half = 0.5 * 10 ** place;
  return Math.abs(value.value - gold.value) <= half * (1 - 1e-9);
}

function sameValue(
  gold: NumberAnswer,
  value: Pick<NumberAnswer, 'value' | 'exact' | 'form'>,
  tolerance: Tolerance,
): boolean {
  if (Number.isNaN(gold.value) || Number.isNaN(value.value)) return false;
  const written = (form: NumberAnswer['form']): boolean => form === 'integer' || form === 'fraction';
  if (tolerance.exact && gold.exact && value.exact && written(gold.form) && written(value.form)) {
    return gold.exact.n * value.exact.d === value.exact.n * gold.exact.d;
  }
  if (gold.exact && value.exact && gold.exact.n * value.exact.d === value.exact.n * gold.exact.d) return true;
  if (gold.value === value.value && (Number.isFinite(gold.value) || !gold.exact || !value.exact)) return true;
  if (!Number.isFinite(gold.value) || !Number.isFinite(value.value)) return false;
  const limit = Math.max(tolerance.absTol, tolerance.relTol * Math.abs(gold.value));
  if (Math.abs(value.value - gold.value) <= limit) return true;
  return tolerance.rounding && gold.place !== undefined && roundsTo(value, gold);
}

/** Why two numbers differ, or undefined where they are equal. */
export function numbersDiffer(
  gold: NumberAnswer,
  value: NumberAnswer,
  tolerance: Tolerance,
): string | undefined {
  if (gold.unit !== undefined && value.unit !== undefined && !sameUnit(gold.unit, value.unit)) {
    return `The units differ: ${gold.unit} and ${value.unit}.`;
  }
  const apart = `${value.text} is not ${gold.text}.`;
  if (sameValue(gold, value, tolerance)) return undefined;
  if (gold.percent === value.percent) return apart;
  const hundredth = (number: NumberAnswer): NumberAnswer => ({
    ...number,
    value: number.value / 100,
    ...(number.exact ? { exact: { n: number.exact.n, d: number.exact.d * 100n } } : {}),
    ...(number.form === 'integer' ? { form: 'fraction' as const } : {}),
    ...(number.place === undefined ? {} : { place: number.place - 2 }),
  });
  const same = gold.percent
    ? sameValue(hundredth(gold), value, tolerance)
    : sameValue(gold, hundredth(value), tolerance);
  return same ? undefined : apart;
}
