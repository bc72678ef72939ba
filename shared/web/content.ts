import { isUtf8 } from 'node:buffer';

/** What kinds of pages can be read, and how their bytes become text. */

export type PageKind = 'html' | 'markdown' | 'text' | 'json';

const KINDS: Record<string, PageKind> = {
  'text/html': 'html',
  'application/xhtml+xml': 'html',
  'text/plain': 'text',
  'text/markdown': 'markdown',
  'text/x-markdown': 'markdown',
  'application/json': 'json',
  'application/ld+json': 'json',
};

/** The kind of a page by its content type; without one, by its first bytes. Undefined for what cannot be read. */
export function kindOf(contentType: string, body: Uint8Array): PageKind | undefined {
  const type = contentType.split(';')[0]!.trim().toLowerCase();
  if (type !== '') return KINDS[type];
  const start = Buffer.from(body.subarray(0, 1024)).toString('latin1').trimStart();
  if (/^<(?:!doctype|html|head|body|\?xml)/i.test(start)) return 'html';
  return isUtf8(body) && !start.includes('\0') ? 'text' : undefined;
}

/** Decodes by byte order mark, the type's charset, the page's own `<meta>`; else UTF-8. Never throws. */
export function decodeText(body: Uint8Array, contentType: string, kind: PageKind): string {
  const declared = /charset\s*=\s*"?([\w.:-]+)/i.exec(contentType)?.[1];
  const head = kind === 'html' ? Buffer.from(body.subarray(0, 2048)).toString('latin1') : '';
  const meta = /<meta[^>]{0,200}charset\s*=\s*["']?([\w.:-]+)/i.exec(head)?.[1];
  return decoderFor(body, declared ?? meta)
    .decode(body)
    .replaceAll('\0', '');
}

function decoderFor(body: Uint8Array, label: string | undefined): InstanceType<typeof TextDecoder> {
  const [a, b] = body;
  if (a === 0xfe && b === 0xff) return new TextDecoder('utf-16be');
  if (a === 0xff && b === 0xfe) return new TextDecoder('utf-16le');
  try {
    return new TextDecoder(label ?? 'utf-8');
  } catch {
    return new TextDecoder('utf-8');
  }
}
