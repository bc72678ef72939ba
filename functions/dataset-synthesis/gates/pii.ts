/** Gate 7: personal data in a pair. Finds kinds and places; never repeats the value itself. */

export type PiiKind = 'email' | 'phone' | 'iban' | 'ip' | 'card';

export interface PiiHit {
  kind: PiiKind;
  /** UTF-16 offset. */
  start: number;
  length: number;
}

const EMAIL =
  /(?<![\w.+-])[\w.+-]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.)+\p{L}{2,24}(?![\w-])/gu;
const IBAN = /(?<![A-Z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Z0-9])/gi;
const CARD = /(?<![\d.,-])\d(?:[ -]?\d){12,18}(?![\d]|[.,]\d)/g;
const IPV4 =
  /(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?!\.?\d)/g;
const IPV6 =
  /(?<![\w:.])(?:[0-9a-f]{1,4}:){2,7}(?::?[0-9a-f]{1,4}){1,6}(?![\w:])|(?<![\w:])::(?:[0-9a-f]{1,4}:){0,5}[0-9a-f]{1,4}(?![\w:])/gi;
const PHONE =
  /(?<![\w.,/-])(?:\+\d{1,3}[\s.-]?(?:\(\d{1,4}\)[\s.-]?)?\d{1,4}(?:[\s.-]?\d{2,4}){1,4}|\[\d{1,3}\]\s?\(\d{1,4}\)\s?\d[\d-]{5,}|\(\d{2,4}\)[\s.-]?\d{3,4}[\s.-]?\d{3,4}|\d{3}[-.]\d{3}[-.]\d{4}|0\d{2,4}[\s-]\d{3,4}[\s-]?\d{3,4})(?![\w]|[.,/]\d)/g;

/** The check of payment card numbers (ISO/IEC 7812-1, Luhn). */
export function luhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    let digit = digits.charCodeAt(digits.length - 1 - index) - 48;
    if (digit < 0 || digit > 9) return false;
    if (index % 2 === 1) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return digits.length > 0 && sum % 10 === 0;
}

/** The mod-97 check of an IBAN without spaces (ISO 13616). */
export function ibanValid(text: string): boolean {
  const iban = text.replaceAll(' ', '').toUpperCase();
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(iban)) return false;
  let remainder = 0;
  for (const char of iban.slice(4) + iban.slice(0, 4)) {
    const code = char.charCodeAt(0);
    const digits = code >= 65 ? String(code - 55) : char;
    for (const digit of digits) remainder = (remainder * 10 + Number(digit)) % 97;
  }
  return remainder === 1;
}

/** Loopback, private, link-local, documentation and unspecified addresses name nobody. */
const publicIpv4 = (address: string): boolean =>
  !/^(?:0\.|10\.|127\.|169\.254\.|192\.168\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.|255\.|172\.(?:1[6-9]|2\d|3[01])\.)/.test(
    address,
  );

/** Addresses reserved for documentation (RFC 2606) name nobody either. */
const realEmail = (address: string): boolean =>
  !/@(?:[\w-]+\.)*(?:example\.(?:com|org|net)|[\w-]+\.(?:example|test|invalid|localhost))$/i.test(address);

/** Every piece of personal data in a text: e-mail, phone, IBAN, public IP address, card number. */
export function findPii(text: string): PiiHit[] {
  const hits: PiiHit[] = [];
  const add = (kind: PiiKind, pattern: RegExp, valid: (match: string) => boolean): void => {
    for (const match of text.matchAll(pattern)) {
      const start = match.index;
      if (hits.some((hit) => start < hit.start + hit.length && start + match[0].length > hit.start)) continue;
      if (valid(match[0])) hits.push({ kind, start, length: match[0].length });
    }
  };
  add('email', EMAIL, realEmail);
  add('iban', IBAN, ibanValid);
  add('card', CARD, (match) => /^[3-6]/.test(match) && luhn(match.replace(/\D/g, '')));
  add('ip', IPV4, publicIpv4);
  add(
    'ip',
    IPV6,
    (match) => match.split(':').length >= 4 && /\d/.test(match) && !/^(?:::1|fe80:|2001:0?db8:)/i.test(match),
  );
  add('phone', PHONE, (match) => {
    const digits = match.replace(/\D/g, '').length;
    return digits >= 7 && digits <= 15;
  });
  return hits.sort((a, b) => a.start - b.start);
}
