/** Keeps secrets out of logs, by the names of fields and by the shape of texts. */

export const REDACTED = '[redacted]';

const SECRET_WORDS = new Set([
  'secret',
  'secrets',
  'password',
  'passwd',
  'passphrase',
  'authorization',
  'authorisation',
  'cookie',
  'cookies',
  'credential',
  'credentials',
  'signature',
  'token',
  'apikey',
  'bearer',
]);
const SECRET_PAIRS = new Set(['api key', 'access key', 'private key', 'secret key', 'signed url']);

/** Whether a field's name says that its value is a secret. `tokensIn` and `maxTokens` count tokens and stay. */
export function namesSecret(name: string): boolean {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .split(/[^A-Za-z0-9]+/)
    .join(' ')
    .toLowerCase()
    .split(' ')
    .filter(Boolean);
  return words.some(
    (word, index) => SECRET_WORDS.has(word) || SECRET_PAIRS.has(`${word} ${words[index + 1] ?? ''}`),
  );
}

const PATTERNS: [RegExp, string][] = [
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${REDACTED}`],
  // A presigned address grants access as long as it lives.
  [/([?&]X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s"]+/gi, `$1${REDACTED}`],
  [/\b(?:sk|pk|ghp|gho|xox[abp])[-_][A-Za-z0-9_-]{16,}/g, REDACTED],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, REDACTED],
];

/** A text with tokens, signatures and access keys blanked. */
export function redactText(text: string): string {
  let out = text;
  for (const [pattern, replacement] of PATTERNS) out = out.replace(pattern, replacement);
  return out;
}

const MAX_DEPTH = 8;

/** A JSON-ready copy of a value without secrets; errors become `{name, message, stack, cause}`. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '[deep]';
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  if (value instanceof Error) {
    return redact(
      { name: value.name, message: value.message, stack: value.stack, cause: value.cause },
      depth + 1,
    );
  }
  if (value instanceof Uint8Array) return `[${value.byteLength} bytes]`;
  const entries = Object.entries(value).map(([name, member]) => [
    name,
    namesSecret(name) && member !== undefined && member !== null ? REDACTED : redact(member, depth + 1),
  ]);
  return Object.fromEntries(entries) as unknown;
}
