import { corpusIdIn, corpusUrl } from '../corpus/url.ts';

/** One form of an address, so that two spellings of it compare: no fragment, no last slash, host in lower case. */
export function comparableUrl(url: string): string {
  const text = url.trim();
  const id = corpusIdIn(text);
  if (id !== undefined) return corpusUrl(id.replace(/#.*$/, '').replace(/\/$/, ''));
  try {
    const parsed = new URL(text);
    parsed.hash = '';
    return parsed.href.replace(/\/$/, '');
  } catch {
    return text;
  }
}
