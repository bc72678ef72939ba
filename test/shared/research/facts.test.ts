import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { anyText } from '#test/support/texts.ts';
import { extractFacts } from '#shared/research/facts/extract.ts';
import { headOf } from '#shared/research/facts/head.ts';
import { relationMatch, SAME_RELATION, valueHolds } from '#shared/research/facts/match.ts';
import { normaliseText } from '#shared/research/facts/normalise.ts';
import { SYNONYMS } from '#shared/research/facts/synonyms.ts';
import { verifyCitations } from '#shared/research/citations/verify.ts';
import { questionId } from '#shared/research/ids.ts';

const factsIn = (text: string, title = 'Orrin') => extractFacts({ id: 'd', title, text });

describe('facts', () => {
  it('are lines, list items, bold keys, rows of two columns and headings with one short paragraph', () => {
    const text = [
      '# Orrin',
      'Depth: 41 m',
      '- Outflow: Tessel; Vole',
      '**Fed by:** three streams',
      '* **Owner**: the town',
      '| Property | Value |',
      '| --- | --- |',
      '| Area | 12 sq km |',
      '## Climate',
      '',
      'Mild and wet.',
      '## Story',
      'First paragraph.',
      '',
      'Second: paragraph of a story.',
      'This is a long sentence which happens to have in its middle a colon: no fact.',
      'See http://x: y',
    ].join('\n');
    expect(factsIn(text).map(({ key, value, line, path }) => [key, value, line, path.join('/')])).toEqual([
      ['Depth', '41 m', 2, ''],
      ['Outflow', 'Tessel; Vole', 3, ''],
      ['Fed by', 'three streams', 4, ''],
      ['Owner', 'the town', 5, ''],
      ['Area', '12 sq km', 8, ''],
      ['Climate', 'Mild and wet.', 11, ''],
      ['Second', 'paragraph of a story.', 15, 'Story'],
    ]);
    expect(factsIn(text)[1]).toMatchObject({
      head: 'Tessel',
      text: '- Outflow: Tessel; Vole',
      title: 'Orrin',
      documentId: 'd',
    });
  });

  it('have their heading in the relation where the key is ambiguous', () => {
    const text = '## Area\n- total: 5 sq km\n- land: 4 sq km\n\n## Coast\n- total: 3 km';
    expect(factsIn(text).map(({ relation }) => relation)).toEqual(['Area - total', 'land', 'Coast - total']);
  });

  it('have heads without what follows a stop, and without a last quantity', () => {
    for (const [value, head] of [
      ['Maja e Korabit (Golem Korab) 2,764 m', 'Maja e Korabit'],
      ['28,748 sq km', '28,748 sq km'],
      ['Greece 212 km; Kosovo 112 km', 'Greece'],
      ['Muslim 56.7%, Roman Catholic 10%', 'Muslim'],
      ['Tirana (Tirane)', 'Tirana'],
      ['18 years of age; universal', '18 years of age'],
      ['lek - ALL', 'lek'],
      ['Route 66', 'Route 66'],
      ['(none)', '(none)'],
      ['1,362,100 persons', '1,362,100 persons'],
    ] as const)
      expect(headOf(value), value).toBe(head);
  });

  it('are found in any text, in time linear in it', () => {
    const part = fc.constantFrom(
      '#',
      '# ',
      'Key',
      ': ',
      ':',
      '**',
      '|',
      '-',
      '\n',
      ' ',
      'value',
      '1,2',
      '(',
      ';',
      '\ud800',
      'é',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 80 }), (parts) => {
        const text = parts.join('');
        const lines = text.split('\n');
        for (const fact of factsIn(text)) {
          expect(fact.key.length * fact.value.length * fact.head.length).toBeGreaterThan(0);
          expect(lines[fact.line - 1]).toContain(fact.text.trim());
        }
      }),
    );
    for (const piece of ['# ', '| ', '**', 'a:', ': ', '#', ' ', '- ', '1 ', '1. '])
      factsIn(`${piece.repeat(60_000)}x\nKey: ${piece.repeat(60_000)}x`);
  });
});

describe('matching', () => {
  it('is 0.6 coverage and 0.4 Jaccard over stems, after synonyms', () => {
    expect(relationMatch('capital', { key: 'Capital - name', path: [] })).toBeCloseTo(0.6 + 0.4 / 2, 12);
    expect(relationMatch('highest mountain', { key: 'Elevation - highest point', path: [] })).toBeCloseTo(
      0.6 + (0.4 * 2) / 3,
      12,
    );
    expect(relationMatch('number of inhabitants', { key: 'Population', path: [] })).toBe(1);
    expect(relationMatch('area total', { key: 'total', path: ['Area'] })).toBe(1);
    expect(relationMatch('languages spoken', { key: 'Language', path: ['People'] })).toBe(1);
    expect(relationMatch('capital', { key: 'Climate', path: [] })).toBe(0);
    expect(relationMatch('coastline', { key: 'Land boundaries', path: [] })).toBeLessThan(SAME_RELATION);
    expect(relationMatch('', { key: 'Climate', path: [] })).toBe(0);
  });

  it('shares at most 60 synonyms, none twice', () => {
    expect(SYNONYMS.length).toBeLessThanOrEqual(60);
    expect(new Set(SYNONYMS.map(([asked]) => asked)).size).toBe(SYNONYMS.length);
    for (const [asked, named] of SYNONYMS)
      expect([normaliseText(asked), normaliseText(named)]).toEqual([asked, named]);
  });

  it('normalises marks, case, articles and punctuation, once', () => {
    expect(normaliseText("  The Côte d'Azur—an ÉTÉ (ﬁne) A ")).toBe('cote d azur ete fine');
    fc.assert(fc.property(anyText(), (text) => normaliseText(normaliseText(text)) === normaliseText(text)));
    expect(valueHolds('Tirana (Tirane), the seat', 'tirane')).toBe(true);
    expect(valueHolds('Concatenate', 'cat')).toBe(false);
    expect(valueHolds('x', '—')).toBe(false);
  });
});

describe('[deep-research 25] citations', () => {
  const page = 'Elevation: **Maja e Korabit** 2,764 m\nCapital: Tirana';
  const textOf = (read: { url: string }) => Promise.resolve(read.url.endsWith('gone') ? undefined : page);
  const pages = [
    { url: 'corpus://al', step: 2 },
    { url: 'https://Site.example/p/#top', step: 4 },
    { url: 'corpus://gone', step: 5 },
  ];

  it('[deep-research 25] an invented quote is quote_not_found, a genuine one verified', async () => {
    const citations = await verifyCitations(
      [
        { url: 'corpus://al', quote: 'elevation: maja e korabit 2,764' },
        { url: 'corpus://al', quote: 'Capital: Paris' },
        { url: 'corpus://never', quote: 'Capital: Tirana' },
        { url: 'corpus://al', quote: 'Tirana' },
        { url: 'https://site.example/p', quote: 'Capital: Tirana' },
        { url: 'corpus://gone', quote: 'Capital: Tirana' },
        { url: 'corpus://al', quote: '' },
      ],
      pages,
      textOf,
    );
    expect(citations.map(({ n, status, step }) => [n, status, step])).toEqual([
      [1, 'verified', 2],
      [2, 'quote_not_found', 2],
      [3, 'url_not_fetched', undefined],
      [4, 'too_short', 2],
      [5, 'verified', 4],
      [6, 'quote_not_found', 5],
      [7, 'too_short', 2],
    ]);
  });

  it('takes any URL and quote', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            url: fc
              .tuple(fc.constantFrom('', 'corpus://', 'https://'), anyText())
              .map((parts) => parts.join('')),
            quote: anyText(),
          }),
        ),
        async (citations) => {
          const verified = await verifyCitations(
            citations,
            [...pages, ...citations.map(({ url }) => ({ url, step: 9 }))],
            textOf,
          );
          expect(verified.map(({ quote }) => quote)).toEqual(citations.map(({ quote }) => quote));
          expect(verified.some(({ status }) => status === 'url_not_fetched')).toBe(false);
        },
      ),
    );
  });
});

it('ids of questions are hashes of kind and text', () => {
  expect(questionId('short', 'Which?')).toMatch(/^q-[0-9a-f]{16}$/);
  expect(questionId('short', 'Which?')).toBe(questionId('short', 'Which?'));
  expect(questionId('report', 'Which?')).not.toBe(questionId('short', 'Which?'));
});
