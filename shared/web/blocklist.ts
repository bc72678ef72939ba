import { domainToASCII } from 'node:url';

/** Hosts that may not be read: an entry stands for its host and every name below it. */
export class Blocklist {
  readonly #suffixes: ReadonlySet<string>;

  /** @param entries names such as `huggingface.co`; upper case, Unicode, a leading `*.` and whole URLs are understood. */
  constructor(entries: readonly string[]) {
    this.#suffixes = new Set(entries.map(normalHost).filter((host) => host !== ''));
  }

  /** Whether a host or one of the names above it is listed. Labels count whole: `nothuggingface.co` is another. */
  blocks(host: string): boolean {
    const labels = normalHost(host).split('.');
    return labels.some((_, from) => this.#suffixes.has(labels.slice(from).join('.')));
  }
}

/** A host in lower case and punycode, without final dots. */
export function normalHost(name: string): string {
  const bare = name
    .trim()
    .replace(/^[a-z][a-z0-9+.-]*:\/\//i, '')
    .replace(/[/?#].*$/s, '')
    .replace(/^\*?\./, '')
    .replace(/\.+$/, '');
  // Its own idea of what is no name: such an entry can only match itself.
  return (domainToASCII(bare) || bare.toLowerCase()).replace(/\.+$/, '');
}
