import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  description,
  relationWords,
  seedQuestion,
  withDescription,
} from '#functions/research-questions/builtin/wording.ts';
import type { Candidate, Draft } from '#functions/research-questions/records.ts';
import { duplicates, Excluded } from '#functions/research-questions/synthesis/decontaminate.ts';
import { entityNames, isName, isSingleValued } from '#functions/research-questions/synthesis/entities.ts';
import { textFault } from '#functions/research-questions/synthesis/gate.ts';
import { verdictOn } from '#functions/research-questions/synthesis/harden.ts';
import { Knowledge } from '#functions/research-questions/synthesis/knowledge.ts';
import { chain, orderedSeeds } from '#functions/research-questions/synthesis/synthesise.ts';
import { scan } from '#functions/research-questions/synthesis/validate.ts';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { indexCorpus } from '#shared/research/corpus/build.ts';
import { openCorpus } from '#shared/research/corpus/open.ts';
import { headOf } from '#shared/research/facts/head.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

const candidate = (patch: Partial<Candidate> = {}): Candidate => ({
  form: 'seed',
  entity: 'Tarn',
  relation: 'Length',
  value: '380 km',
  documentId: 'tarn',
  evidence: { url: 'corpus://tarn', quote: 'Length: 380 km' },
  ...patch,
});

const draft = (patch: Partial<Draft> = {}): Draft => ({
  id: 'd-1',
  seedDocument: 'tarn',
  extensions: 0,
  question: 'What is the length of Tarn?',
  answer: '380 km',
  relation: 'Length',
  entity: 'Tarn',
  hidden: [],
  documents: ['tarn'],
  evidence: [{ url: 'corpus://tarn', quote: 'Length: 380 km' }],
  chain: [candidate()],
  ...patch,
});

describe('entities and values', () => {
  it('takes sections for sections only where several documents have them', () => {
    const titles = ['A: Land', 'B: Land', 'C: Land', 'D: Land', 'E: Land', 'Star: A Life'];
    const entityOf = entityNames(titles);
    expect(entityOf('C: Land')).toBe('C');
    expect(entityOf('Star: A Life')).toBe('Star: A Life');
  });

  it.each([
    ['Tirana (Tirane)', true],
    ['28,748 sq km (2020)', true],
    ['coal, copper, iron ore', false],
    ['Greece 212 km; Kosovo 112 km', false],
    ['Maja e Korabit (Golem Korab, the peak) 2,764 m', true],
  ])('%j states one value: %j', (value, single) => {
    expect(isSingleValued({ value, head: headOf(value) })).toBe(single);
  });

  it('knows names from sentences, marks and nothing', () => {
    for (const text of ['Tirana', '28,748 sq km', '"Hymn"', '-4 m', 'St. John'])
      expect([text, isName(text)]).toEqual([text, true]);
    for (const text of ['NA', '[353]', 'It set down on the surface.', 'a@b.org', '--', 'none'])
      expect([text, isName(text)]).toEqual([text, false]);
  });
});

describe('wording', () => {
  it('says a relation in words', () => {
    expect(relationWords('Elevation - highest point')).toBe('elevation highest point');
    expect(relationWords('Health expenditure - health expenditure (2021)')).toBe('health expenditure');
    expect(relationWords('GDP (official rate)')).toBe('GDP');
  });

  it('replaces the entity in every form of question, and leaves no possessive behind', () => {
    const bridge = candidate({ form: 'attribute', relation: 'Source', value: 'Mont Lozère' });
    for (let form = 0; form < 3; form++) {
      const question = seedQuestion(candidate(), form);
      for (let other = 0; other < 3; other++) {
        const extended = withDescription(question, 'Tarn', description(bridge, 'river', other))!;
        expect(extended).not.toMatch(/Tarn|'s/);
        expect(extended).toContain('Mont Lozère');
        expect(extended).toMatch(/length/);
        expect(extended).toMatch(/\?$/);
      }
    }
    expect(withDescription('What is it?', 'Tarn', 'x')).toBeUndefined();
  });
});

describe('gates', () => {
  it.each([
    [{}, undefined],
    [{ question: '' }, 'bad_output'],
    [{ hidden: ['Tarn'] }, 'entity_named'],
    [{ question: 'Is the length of Tarn 380 km?' }, 'answer_in_question'],
    [{ question: 'What is the length of Tarn last year?' }, 'relative_date'],
    [
      {
        question: 'Which river rises on the slopes of Mont Lozère and flows west through its gorges to Albi?',
        evidence: [
          {
            url: 'u',
            quote: 'It rises on the slopes of Mont Lozère and flows west through its gorges to Albi.',
          },
        ],
      },
      'verbatim',
    ],
  ])('%j: %j', (patch, code) => {
    expect(textFault(draft(patch))?.code).toBe(code);
  });

  it('never throw for what a model writes', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (question, answer, quote) => {
        textFault(draft({ question, answer, hidden: [quote], evidence: [{ url: 'u', quote }] }));
      }),
    );
  });
});

describe('hardening', () => {
  const config = (solver: boolean) => ({
    input: { seed: 1, hops: { min: 2, max: 3 }, solverRuns: solver ? 4 : 0 } as never,
    band: { min: 0.25, max: 0.75 },
  });

  it('accepts within the band and the hops; easier goes on, harder goes', () => {
    const longer = draft({ extensions: 1 });
    expect(verdictOn(longer, 0.5, config(true), false)).toEqual({ to: 'accept' });
    expect(verdictOn(draft(), 0.5, config(true), false)).toEqual({ to: 'open' });
    expect(verdictOn(longer, 0, config(true), false)).toEqual({ to: 'open' });
    expect(verdictOn(longer, 1, config(true), false)).toMatchObject({ to: 'reject', code: 'too_hard' });
    expect(verdictOn(longer, 0, config(true), true)).toMatchObject({ to: 'reject', code: 'too_easy' });
    expect(verdictOn(draft(), 0.5, config(true), true)).toMatchObject({ to: 'reject', code: 'too_short' });
  });

  it('without a solver accepts at a drawn number of hops', () => {
    const hops = Array.from({ length: 40 }, (_, n) =>
      [0, 1, 2].find(
        (extensions) =>
          verdictOn(draft({ id: `d-${n}`, extensions }), undefined, config(false), false).to === 'accept',
      ),
    );
    expect(new Set(hops)).toEqual(new Set([1, 2]));
  });
});

describe('decontamination', () => {
  const words = Array.from({ length: 14 }, (_, n) => `word${n}`).join(' ');

  it('finds thirteen shared words whatever stands between them', () => {
    const excluded = new Excluded();
    excluded.add(`Before: ${words}!`);
    expect(excluded.shared(words.toUpperCase().replaceAll(' ', ', '))).toBeDefined();
    expect(excluded.shared(words.split(' ').slice(0, 12).join(' '))).toBeUndefined();
  });

  it('keeps the lowest id of near copies and of repeated answers, in any order', () => {
    const text = 'What is the length of the river whose source region is the Bohemian Forest?';
    const all = [
      { id: 'q-3', text, answer: '430 km', evidence: [{ url: 'a', quote: 'x' }] },
      { id: 'q-1', text: `${text.slice(0, -1)} ?`, answer: '431 km', evidence: [{ url: 'b', quote: 'x' }] },
      {
        id: 'q-2',
        text: 'How tall is it, and why?',
        answer: '431 km',
        evidence: [{ url: 'b', quote: 'X!' }],
      },
      { id: 'q-4', text: 'Who wrote the anthem of that place?', answer: 'N', evidence: [] },
    ];
    const gone = duplicates(all);
    expect([...gone].sort()).toEqual([
      ['q-2', { code: 'repeated_answer', of: 'q-1' }],
      ['q-3', { code: 'near_duplicate', of: 'q-1' }],
    ]);
    expect(duplicates([...all].reverse())).toEqual(gone);
  });
});

describe('what a corpus offers', () => {
  let world: TestRuntime;
  let knowledge: Knowledge;
  beforeAll(async () => {
    world = await embeddedRuntime();
    const rows = Array.from({ length: 12 }, (_, n) => ({
      id: `town-${n}`,
      title: `Town${'abcdefghijkl'[n]!}`,
      text: [
        `Mayor: Person${'abcdefghijkl'[n]!}`,
        `River: ${n < 2 ? 'Sharedwater' : `Water${'abcdefghijkl'[n]!}`}`,
        `Elevation: ${100 + n} m`,
        'Goods: coal, copper',
        ...(n === 5 ? ['Twin town: Towna'] : []),
      ].join('\n'),
    }));
    const bytes = Buffer.from(rows.map((row) => JSON.stringify(row)).join('\n'));
    await world.runtime.artifacts.put('in/towns.jsonl', bytes);
    const documents = { key: 'in/towns.jsonl', sha256: sha256Hex(bytes), bytes: bytes.length };
    const step = await indexCorpus(world.runtime, { documents, index: 'lexical', owner: 'test' });
    knowledge = new Knowledge(await openCorpus(world.runtime, step.corpusId));
  });
  afterAll(() => world.close());

  it('seeds are single values under relations that enough documents have', () => {
    const relations = new Set(knowledge.seeds().map(({ relation }) => relation));
    expect(relations).toEqual(new Set(['Mayor', 'River', 'Elevation']));
    expect(orderedSeeds(knowledge, 1)).not.toEqual(orderedSeeds(knowledge, 2));
    expect(
      new Set(
        orderedSeeds(knowledge, 1)
          .slice(0, 12)
          .map(({ entity }) => entity),
      ).size,
    ).toBe(12);
  });

  it('bridges are links first, then attributes that fit one entity; never numbers, never shared', () => {
    const bridges = knowledge.bridges('Towna', '100 m', ['Elevation']);
    expect(bridges.map(({ form, relation, entity }) => [form, relation, entity])).toEqual([
      ['link', 'Twin town', 'Townf'],
      ['attribute', 'Mayor', 'Towna'],
    ]);
    expect(knowledge.bridges('Townc', 'Persona', ['Mayor']).map(({ relation }) => relation)).toEqual([
      'River',
    ]);
  });

  it('a chain holds under its own scan, and a scan finds what does not', () => {
    const seed = knowledge
      .seeds()
      .find(({ entity, relation }) => entity === 'Towna' && relation === 'Elevation')!;
    for (const form of ['link', 'attribute'] as const) {
      const made = chain(knowledge, seed, 1, { entityNoun: 'town', seed: 1, form });
      if (!('draft' in made)) throw new Error(made.reject.detail);
      const textOf = (id: string) => knowledge.document(id)?.text;
      expect(scan(made.draft, knowledge, textOf)).toEqual({
        unique: true,
        derivable: true,
        leaks: [],
        reasons: [],
      });
      expect(made.draft.chain.map((link) => link.form)).toEqual(['seed', form]);
      const [first, second] = made.draft.chain as [Candidate, Candidate];
      const invented = { ...first, evidence: { ...first.evidence, quote: 'Elevation: 999 m' } };
      expect(scan({ ...made.draft, chain: [invented, second] }, knowledge, textOf).derivable).toBe(false);
      const shared = { ...second, form: 'attribute' as const, relation: 'River', value: 'Sharedwater' };
      expect(scan({ ...made.draft, chain: [first, shared] }, knowledge, textOf).unique).toBe(false);
      expect(scan({ ...made.draft, question: 'Is it Towna?' }, knowledge, textOf).leaks).toEqual(['Towna']);
    }
  });
});
