import { Readability } from '@mozilla/readability';
import { gfm } from '@joplin/turndown-plugin-gfm';
import { parseHTML } from 'linkedom';
import TurndownService from 'turndown';
import { withoutTargets } from './link-targets.ts';

/** HTML as Markdown. Runs in a worker thread (extract-worker.ts): pages are hostile, and parsing takes time. */

export interface ExtractedPage {
  title: string;
  markdown: string;
}

/** Less text than this is no article: the whole body is taken. */
const LEAST_ARTICLE_CHARS = 200;
const NO_CONTENT =
  'script, style, noscript, template, nav, footer, iframe, object, embed, svg, canvas, form, link, meta, title';

const service = new TurndownService({
  headingStyle: 'atx',
  bulletListMarker: '-',
  codeBlockStyle: 'fenced',
  emDelimiter: '*',
});
service.use(gfm);
service.addRule('links', { filter: 'a', replacement: (content) => content });
service.addRule('images', {
  filter: 'img',
  replacement: (_content, node) =>
    (node as unknown as { getAttribute(name: string): string | null })
      .getAttribute('alt')
      ?.replace(/\s+/g, ' ')
      .trim() ?? '',
});

/** The title of a page and its main content as Markdown without link targets. */
export function extractPage(html: string): ExtractedPage {
  const { document } = parseHTML(wholeDocument(html));
  const title = oneLine(document.querySelector('title')?.textContent ?? '');
  const article = articleOf(html);
  const content = article?.content ?? bodyOf(document);
  return {
    title: title || oneLine(article?.title ?? '') || oneLine(document.querySelector('h1')?.textContent ?? ''),
    markdown: tidy(withoutTargets(service.turndown(content))),
  };
}

/** linkedom takes the first element for the root: fragments get one. */
const wholeDocument = (html: string): string =>
  /<html[\s>]/i.test(html) ? html : `<!doctype html><html><head></head><body>${html}</body></html>`;

function articleOf(html: string): { title: string; content: string } | undefined {
  try {
    // It changes the document it reads.
    const { document } = parseHTML(wholeDocument(html));
    const article = new Readability(document as never, {
      charThreshold: LEAST_ARTICLE_CHARS,
    }).parse();
    if (!article?.content || (article.textContent ?? '').trim().length < LEAST_ARTICLE_CHARS)
      return undefined;
    return { title: article.title ?? '', content: article.content };
  } catch {
    // Markup it cannot cope with: the body is taken as it is.
    return undefined;
  }
}

function bodyOf(document: ReturnType<typeof parseHTML>['document']): string {
  // Its `body` throws where there is no element at all.
  const body = document.documentElement ? document.body : undefined;
  for (const element of [...(body?.querySelectorAll(NO_CONTENT) ?? [])]) element.remove();
  return body?.innerHTML ?? '';
}

const oneLine = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, 300);

const tidy = (markdown: string): string =>
  markdown
    .toWellFormed()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
