import type { Any } from './types.ts';

/** The AWS Query protocol: forms in, XML out. */

/** `A.member.1.B=x` as `{A: [{B: 'x'}]}`. */
export function parseForm(body: string): Any {
  const root: Any = {};
  for (const [path, value] of new URLSearchParams(body)) {
    // A list without members.
    if (value === '' && !path.includes('.')) continue;
    const steps = path.split('.').filter((step) => step !== 'member');
    let at = root;
    steps.forEach((step, n) => {
      const key = /^\d+$/.test(step) ? Number(step) - 1 : step;
      if (n === steps.length - 1) at[key] = value;
      else at = at[key] ??= /^\d+$/.test(steps[n + 1]!) ? [] : {};
    });
  }
  return root;
}

const escape = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);

/** Fields as elements; lists as `<member>`s; undefined is left out. */
export function toXml(value: Any): string {
  if (Array.isArray(value)) return value.map((item) => `<member>${toXml(item)}</member>`).join('');
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => `<${key}>${toXml(item)}</${key}>`)
      .join('');
  }
  return escape(String(value));
}

export const answerXml = (action: string, result: Any): string =>
  `<${action}Response><${action}Result>${toXml(result)}</${action}Result>` +
  `<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></${action}Response>`;

export const faultXml = (code: string, message: string): string =>
  `<ErrorResponse>${toXml({ Error: { Type: 'Sender', Code: code, Message: message }, RequestId: '1' })}</ErrorResponse>`;
