/** Addresses of documents: `corpus://<id>`, the id percent-encoded but for its slashes. */

const SCHEME = 'corpus://';

export const corpusUrl = (id: string): string =>
  SCHEME + id.toWellFormed().split('/').map(encodeURIComponent).join('/');

export const isCorpusUrl = (url: string): boolean => url.slice(0, SCHEME.length).toLowerCase() === SCHEME;

/** The document's id; undefined for any other address. */
export function corpusIdIn(url: string): string | undefined {
  if (!isCorpusUrl(url)) return undefined;
  const path = url.slice(SCHEME.length);
  try {
    return decodeURIComponent(path);
  } catch {
    // An id that was typed by hand.
    return path;
  }
}
