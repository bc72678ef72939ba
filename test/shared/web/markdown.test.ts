import { afterAll, describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { extractPage } from '#shared/web/extract.ts';
import { Extractor, EXTRACT_MS } from '#shared/web/extractor.ts';
import { withoutTargets } from '#shared/web/link-targets.ts';

const TARGETS = /\]\(|:\/\/|\bwww\.\p{L}|<a\b/iu;

describe('[deep-research 13] Markdown without link targets', () => {
  it('[deep-research 13] keeps texts, alternative texts and [link]', () => {
    const markdown = [
      'See [the lake](https://a.example/x_(y) "title"), ![a map](/map.png) and [ref][1].',
      '[![badge](https://b.example/i.svg)](https://b.example)',
      '[1]: https://c.example/ref',
      'Bare https://d.example/p?q=1, <https://e.example>, www.f.example/x. Mail <mailto:a@b.example>.',
      '<a href="https://g.example">g</a> <img src="//h.example/i.png"> [x [y] z](https://i.example)',
      '| [a](b) | ftp://j.example |',
    ].join('\n');
    const text = withoutTargets(markdown);
    expect(text).not.toMatch(TARGETS);
    expect(text).not.toMatch(/\.example/);
    expect(text.split('\n')).toEqual([
      'See the lake, a map and ref.',
      'badge',
      '',
      'Bare [link], [link], [link]. Mail <[link]>.',
      'g  [x [y] z]',
      '| a | [link] |',
    ]);
    const plain = 'Note [1] and [2]: a * b < c; f(x)[0]; key: value // comment';
    expect(withoutTargets(plain)).toBe(plain);
  });

  it('leaves no target in any mixture, and does its work once', () => {
    const part = fc.constantFrom(
      '[',
      ']',
      '(',
      ')',
      '!',
      '<',
      '>',
      'https://x.example/a',
      'www.y.example',
      '[a](b)',
      '![c](d)',
      '"',
      '\\',
      '\n',
      ' ',
      '|',
      'a',
      ':',
      '[r]: /z',
      'mailto:q@z',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 40 }), (parts) => {
        const text = withoutTargets(parts.join(''));
        expect(text).not.toMatch(/:\/\/|x\.example|y\.example/);
      }),
      { numRuns: 500 },
    );
  });

  it('is linear in what is hostile', () => {
    for (const piece of ['[', '![a](', '[x](a "', '<a ', 'http://', '](', '[[a]', "[a](b '", 'a.b:', 'www.'])
      expect(withoutTargets(piece.repeat(100_000)).length).toBeGreaterThan(0);
    for (const run of ['.', ')', ' ', '(', '"', '\\'])
      expect(withoutTargets(`[x](https://a.example/${run.repeat(200_000)}b ![y](c`)).not.toContain('://');
  });
});

describe('pages', () => {
  const extractor = new Extractor();
  afterAll(() => extractor.close());

  const prose =
    '<p>The lake lies between two ridges and is fed by three streams that carry meltwater in spring.</p>';

  it('[deep-research 13] HTML becomes Markdown with tables and without targets', async () => {
    const page = await extractor.extract(
      `<html><head><title>Lake &amp; river</title><style>p{}</style></head><body><nav><a href="/x">Menu</a></nav>
       <h1>Lake</h1>${prose.repeat(6)}<p>See <a href="https://evil.example/leak">the map</a> <img src="https://evil.example/i.png" alt="A map"> at https://evil.example/p.</p>
       <table><tr><th>Name</th><th>Depth</th></tr><tr><td>Orrin</td><td>41 m</td></tr></table>
       <script>alert(1)</script><footer>Imprint</footer></body></html>`,
    );
    expect(page.title).toBe('Lake & river');
    expect(page.markdown).toContain('See the map A map at [link].');
    expect(page.markdown).toMatch(/\| Name\s+\| Depth\s*\|\n\| -+ \| -+ \|\n\| Orrin\s+\| 41 m\s*\|/);
    expect(page.markdown).not.toMatch(TARGETS);
    expect(page.markdown).not.toMatch(/evil|alert/);
  });

  it('takes the whole body of what is no article, without scripts and navigation', async () => {
    const page = await extractor.extract(
      '<title>T</title><nav>Menu</nav><p>Depth: 4 m</p><style>x</style><footer>F</footer>',
    );
    expect(page).toEqual({ title: 'T', markdown: 'Depth: 4 m' });
  });

  it('ends pages that take too long, and goes on with the next', async () => {
    expect(EXTRACT_MS).toBe(10_000);
    const hasty = new Extractor({ limitMs: 1500 });
    try {
      await hasty.extract('<p>warm</p>');
      const [slow, next] = await Promise.allSettled([
        hasty.extract('<div>'.repeat(200_000)),
        hasty.extract('<p>next</p>'),
      ]);
      expect(slow).toMatchObject({ status: 'rejected' });
      expect((slow as PromiseRejectedResult).reason).toMatchObject({
        message: expect.stringMatching(/took more than 1.5 s|cannot be read/) as string,
      });
      expect(next).toMatchObject({ status: 'fulfilled', value: { markdown: 'next' } });
    } finally {
      await hasty.close();
    }
  });

  it('survives any HTML', () => {
    const part = fc.constantFrom(
      '<p>',
      '</p>',
      '<table>',
      '<tr>',
      '<td>',
      '</table>',
      '<a href="http://x.example/1">',
      '</a>',
      '<img src=y alt="z">',
      '<!--',
      '-->',
      '<script>',
      '</script>',
      '<svg>',
      '&amp;',
      '&#0;',
      '<',
      '>',
      '"',
      'text ',
      '<ul><li>',
      '<pre><code>',
      '<h2>',
      '<html>',
      '<body>',
      '</body>',
      '<title>',
      'https://x.example/2 ',
      '\0',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 60 }), (parts) => {
        const page = extractPage(parts.join(''));
        expect(page.markdown).not.toMatch(/x\.example/);
      }),
      { numRuns: 150 },
    );
  });
});
