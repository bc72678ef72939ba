import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { check, filter, generate, identify } from '#functions/dataset-synthesis/builtin/index.ts';
import { factsOfDocument } from '#functions/dataset-synthesis/builtin/facts.ts';
import { readKeyValue } from '#functions/dataset-synthesis/builtin/page.ts';
import { subjectOf } from '#functions/dataset-synthesis/builtin/subject.ts';
import { readValue } from '#functions/dataset-synthesis/builtin/values.ts';
import { DOMAINS, verdictOf } from '#functions/dataset-synthesis/records.ts';
import { seededRng } from '#shared/determinism/rng.ts';

const PROFILE = `Area - total: 1,204 sq km
Land boundaries - border countries: Orland 88 km; Vasten 41 km
Elevation - highest point: Gannet Fell 812 m
Population - total: 92,666 (2025 est.)
Exports - Exports 2023: $3.169 billion (2023 est.)
Executive branch - chief of state: President Mara LINDQVIST (since 24 July 2022)
Industries: fishing, timber; note - many small
Unemployment rate: NA`;

const PROSE = `Pebble Bridge is a stone arch bridge in Fenmoor. It was designed by Agnes Thorne and was opened in 1911. The bridge is 214 metres long. Fenmoor has 12 churches in its old quarter. He liked it.`;

const asked = (title: string, text: string): Record<string, string> =>
  Object.fromEntries(factsOfDocument(title, text).map((fact) => [fact.question, fact.answer]));

describe('facts', () => {
  it('of a profile name their subject, carry their year and leave ragged values alone', () => {
    const facts = asked('Arven: Data', PROFILE);
    expect(facts).toMatchObject({
      'What is the total area of Arven?': '1,204 sq km',
      'How long is the land border between Arven and Vasten?': '41 km',
      'What is the highest point of Arven?': 'Gannet Fell',
      'What is the elevation of Gannet Fell, the highest point of Arven?': '812 m',
      'What was the estimated total population of Arven in 2025?': '92,666',
      'What was the estimated value of the exports of Arven in 2023?': '$3.169 billion',
      'Who has been the chief of state of Arven since 24 July 2022?': 'Mara Lindqvist',
      'On what date did Mara Lindqvist become chief of state of Arven?': '24 July 2022',
    });
    expect(Object.keys(facts).join(' ')).not.toMatch(/industr|unemployment/i);
  });

  it('of prose resolve "It" and "The bridge" to the title only where that is the subject', () => {
    const facts = asked('Pebble Bridge', PROSE);
    expect(facts['How long is Pebble Bridge?'] ?? facts['How long is the Pebble Bridge?']).toBe('214 metres');
    expect(Object.values(facts)).toContain('Agnes Thorne');
    expect(Object.keys(facts).join(' ')).not.toMatch(/\b(?:He|it)\b/);
  });

  it('of tables join row and column', () => {
    const table = '| Service | Standard port |\n|---|---|\n| SSH | 22 |\n| DNS | 53 |';
    expect(asked('Ports', table)).toMatchObject({
      'What is the standard port of SSH?': '22',
      'What is the standard port of DNS?': '53',
    });
  });

  it('quote their evidence word for word', () => {
    for (const [title, text] of [
      ['Arven: Data', PROFILE],
      ['Pebble Bridge', PROSE],
    ] as const) {
      for (const fact of factsOfDocument(title, text)) expect(text).toContain(fact.evidence);
    }
  });
});

describe('the builtin roles', () => {
  const base = { docId: 'd1', title: 'Arven: Data', text: PROFILE };
  const input = (personaIndex: number) => ({
    ...base, domain: 'Other', persona: ['a', 'b', 'c'][personaIndex]!, personaIndex, personas: ['a', 'b', 'c'],
    answerTypes: ['number' as const, 'quantity' as const, 'date' as const, 'name' as const], examples: [],
  }); // prettier-ignore

  it('give three personas three facts, and the same ones again', () => {
    const out = [0, 1, 2].map((index) => generate(input(index)));
    expect(new Set(out.map((pair) => pair.question)).size).toBe(3);
    expect([0, 1, 2].map((index) => generate(input(index)))).toEqual(out);
  });

  it('decline where no fact is left', () => {
    expect(generate({ ...input(0), text: 'Nothing of note is said here by anybody at all.' }).declined).toBe(
      true,
    );
    expect(generate({ ...input(0), answerTypes: ['list'] }).declined).toBe(true);
  });

  it('refuse boilerplate, fragments and chat, and take facts', () => {
    expect(
      filter({ docId: 'd', text: 'Accept all cookies\nPrivacy policy\nAll rights reserved\nRead more' }),
    ).toMatchObject({ qualified: false, reason: 'boilerplate' });
    expect(filter({ docId: 'd', text: '1 2 3\n4 5 6\n7 8 9\nab' })).toMatchObject({
      qualified: false,
      reason: 'fragment',
    });
    expect(
      filter({
        docId: 'd',
        text: 'What a lovely day it was, and how we all laughed about the rain that came and went.',
      }),
    ).toMatchObject({ qualified: false, reason: 'no_fact' });
    expect(filter(base)).toMatchObject({ qualified: true, reason: 'ok' });
    expect(filter({ docId: 'd', title: 'Pebble Bridge', text: PROSE })).toMatchObject({
      qualified: true,
      reason: 'ok',
    });
  });

  it.each([
    [
      'A matrix is invertible when its determinant is not zero; the proof uses the polynomial of its eigenvalues.',
      'Math',
    ],
    ['The compiler turns each function into code; a null pointer raises an exception at runtime.', 'Coding'],
    [
      'The vaccine protects patients against the virus; doctors in the hospital saw fewer infections.',
      'Medicine & Health',
    ],
    [
      'Inflation and unemployment fell while exports, wages and the budget surplus rose.',
      'Commerce & Economics',
    ],
    [
      'Pupils at the primary school learn reading from their teacher; the curriculum has new lessons.',
      'Education',
    ],
    [
      'Parliament passed the constitution; the president and the prime minister lost the election.',
      'Social Science',
    ],
    [
      'The turbine drives a generator; the engineer placed bearings and valves along the pipeline.',
      'Technology & Engineering',
    ],
    [
      'The species of bird nests on volcanic islands, where the climate brings rainfall to the forest.',
      'Natural Science',
    ],
    [
      'Simmer the onion in butter, stir in flour and serve the soup with bread and cheese.',
      'Travel & Lifestyle',
    ],
    ['The composer wrote a symphony for orchestra; the poet and the painter met at the opera.', 'Other'],
  ])('identify %s', (text, domain) => {
    const out = identify({ docId: 'd', text, domains: [...DOMAINS], maxPersonas: 3 }, seededRng(1));
    expect(out.domain).toBe(domain);
    expect(new Set(out.personas).size).toBe(3);
  });

  it('know nothing of texts without any known word', () => {
    expect(
      identify(
        { docId: 'd', text: 'Lorem ipsum dolor sit amet.', domains: [...DOMAINS], maxPersonas: 1 },
        seededRng(1),
      ).domain,
    ).toBe('Other');
  });

  it.each([
    ['What is the total area of Arven?', '1,204 sq km', [true, false, true]],
    ['What is the total area of Arven?', '812 m', [false, false, true]],
    ['How long is the land border between Arven and Vasten?', '41 km', [true, false, true]],
    ['How long is the land border between Arven and Vasten?', '88 km', [false, false, true]],
    ['What is the total area of Arven, which is 1,204 sq km?', '1,204 sq km', [true, true, true]],
    ['What is the total area of it?', '1,204 sq km', [false, false, false]],
  ])('judge "%s" %s', (question, answer, [correct, leaks, context]) => {
    const out = check({ ...base, question, answer });
    expect([out.leaksAnswer, out.hasContext]).toEqual([leaks, context]);
    if (context) expect(verdictOf(out.answerCorrect)).toBe(correct);
  });

  it('answer any document without failing', () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '| a | b |',
        '|---|---|',
        'Area: 5 km',
        '# Title',
        '```',
        'It was opened in 1911.',
        'The town of Arven has 3 churches.',
        'A - B: c: d: 5% (2020 est.)',
      ),
    );
    fc.assert(
      fc.property(fc.string({ maxLength: 30 }), fc.array(line, { maxLength: 8 }), (title, lines) => {
        const document = { docId: 'd', title, text: lines.join('\n') };
        filter(document);
        const analysis = identify({ ...document, domains: [...DOMAINS], maxPersonas: 3 }, seededRng(2));
        expect(analysis.personas).toHaveLength(3);
        const pair = generate({ ...input(0), ...document });
        if (!pair.declined) check({ ...document, question: pair.question, answer: pair.answer });
      }),
      { numRuns: 60 },
    );
  });
});

describe('readers of key-value lines', () => {
  it('take nested keys apart, once each, and years off them', () => {
    expect(
      readKeyValue('Land use - agricultural land: arable land: arable land: 21.6% (2023 est.)'),
    ).toMatchObject({ path: ['Land use', 'agricultural land', 'arable land'], value: '21.6% (2023 est.)' });
    expect(readKeyValue('Exports - Exports 2024: $9.848 billion')).toMatchObject({
      path: ['Exports'],
      keyYear: '2024',
    });
    expect(readKeyValue('He said: no')).toMatchObject({ path: ['He said'] });
    expect(readKeyValue('See https://example.org/x')).toBeUndefined();
  });

  it('read qualifiers', () => {
    expect(readValue('2,551,837 (2025 est.)')).toEqual({
      bare: '2,551,837',
      year: '2025',
      estimated: true,
      tail: '',
    });
    expect(readValue('3,055 km (2020) 2,310 km electrified')).toMatchObject({
      bare: '3,055 km',
      year: '2020',
      tail: '2,310 km electrified',
    });
    expect(readValue('Dr Olive Marsh (since September 2015)')).toMatchObject({
      bare: 'Dr Olive Marsh',
      since: 'September 2015',
    });
  });

  it('find the subject of a title', () => {
    expect(subjectOf('Albania: Geography')?.name).toBe('Albania');
    expect(subjectOf('Country profile: Albania')?.name).toBe('Albania');
    expect(subjectOf('United States: Energy')?.name).toBe('the United States');
    expect(subjectOf('Gambia, The')?.name).toBe('the Gambia');
    expect(subjectOf('The Dominican: Economy')).toBeUndefined();
    expect(subjectOf('How to bake bread')).toBeUndefined();
    expect(subjectOf('xo: Geography')).toBeUndefined();
  });

  it('never fail', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        readKeyValue(text);
        readValue(text);
        subjectOf(text, text);
      }),
    );
  });
});
