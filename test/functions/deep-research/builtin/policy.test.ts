import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StepInput } from '#functions/deep-research/agent/prompts/step-input.ts';
import { readReply } from '#functions/deep-research/agent/reading/read.ts';
import { researchStep } from '#functions/deep-research/builtin/policy.ts';
import { tokensOf } from '#functions/deep-research/builtin/tokens.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { resultList, sectionText } from '#shared/research/tools/texts.ts';

/** The step without a model, on a few made-up valleys, with a search that counts shared words. */

const PAGES: Record<string, { title: string; text: string }> = {
  arn: {
    title: 'Arn',
    text: 'Arn is a valley of wool.\n\nPopulation: 1,204\nMain town: Arnwick (market town)\nRiver: Brel\nHighest point: Hob Crag 812 m',
  },
  bel: {
    title: 'Bel',
    text: 'Bel lies behind the hills.\n\nPopulation: 733\nMain town: Belford\nRiver: Sill\nPatron saint: Saint Orla\nNeighbour: Arn',
  },
  cor: {
    title: 'Cor',
    text: 'Cor is known for cheese.\n\nPopulation: 2,950\nMain town: Corham\nRiver: Tamber\nFounder: Edda Vane\nYear of founding: 1214',
  },
  vane: { title: 'Edda Vane', text: '- Birthplace: Belford\n- Year of birth: 1180\n- Occupation: mason' },
};
/** What Python says. */
const RESULTS: Record<string, string> = { '12 * (3 + 4)': '84', '200 * 15 / 100': '30' };
const TOOLS = ['search_internet', 'browse_page', 'code_interpreter', 'clean_memory'];

const stepInput = (patch: Partial<StepInput> = {}): StepInput => ({
  family: 'single_turn',
  kind: 'short',
  question: 'What is the population of Arn?',
  notes: [],
  asOf: '2026-01-01',
  entityNoun: 'valley',
  tools: TOOLS,
  memory: { entries: [], tokens: 0, limit: 24_576, locked: false },
  notices: [],
  step: 1,
  maxSteps: 100,
  final: false,
  explore: false,
  ...patch,
});

function search(query: string): string {
  const words = new Set(tokensOf(query).map(({ word }) => word));
  const hits = Object.entries(PAGES)
    .map(([id, { title, text }]) => {
      const score = tokensOf(`${title} ${title} ${title} ${text}`).filter(({ word }) =>
        words.has(word),
      ).length;
      return { title, url: `corpus://${id}`, snippet: text.slice(0, 80), score };
    })
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || (a.url < b.url ? -1 : 1));
  return resultList(hits);
}

/** Asks the algorithm until it answers. */
function ask(question: string, patch: Partial<StepInput> = {}) {
  const entries: StepInput['memory']['entries'] = [];
  for (let step = 1; step <= 40; step++) {
    const input = stepInput({
      question,
      step,
      ...patch,
      memory: { entries, tokens: 0, limit: 24_576, locked: false },
    });
    const reading = readReply(
      { text: researchStep(input, seededRng('policy', step)), finish: 'stop' },
      TOOLS,
    );
    if (reading.kind === 'answer') return { ...reading.answer, entries };
    if (reading.kind === 'error') throw new Error(reading.code);
    const { name, arguments: args } = reading.call;
    const page = PAGES[String(args.url).replace('corpus://', '')];
    const text =
      name === 'search_internet'
        ? search(String(args.query))
        : name === 'code_interpreter'
          ? RESULTS[String(args.code)]!
          : page
            ? sectionText(page.title, 0, 1, page.text)
            : 'This page is not available.';
    entries.push({ step, call: { name, arguments: args }, text });
  }
  throw new Error(`no answer to ${question}`);
}

describe('the step without a model', () => {
  it.each([
    ['What is the population of Arn?', '1,204'],
    ['How many people live in Cor?', '2,950'],
    ["What is Bel's main town?", 'Belford'],
    ['For Arn, what is recorded as the highest point?', 'Hob Crag'],
    ['Who was the founder of Cor?', 'Edda Vane'],
    ['What is the population of the valley whose river is Sill?', '733'],
    ['What is the main town of the valley with Hob Crag as its highest point?', 'Arnwick'],
    ['For the valley whose patron saint is Saint Orla, what is the river?', 'Sill'],
    ['What is the birthplace of the founder of Cor?', 'Belford'],
    ['In which year was the founder of Cor born?', '1180'],
    ['What is the river of the valley that is the neighbour of Bel?', 'Brel'],
    [
      'What is the highest point of the valley that is the neighbour of the valley whose river is Sill?',
      'Hob Crag',
    ],
  ])('answers %s', (question, gold) => {
    const { text, citations } = ask(question);
    expect(text).toBe(gold);
    expect(citations.length).toBeGreaterThan(0);
    for (const { url, quote } of citations) {
      const page = PAGES[url.replace('corpus://', '')]!;
      expect(page.text.split('\n').map((line) => line.trim())).toContain(quote);
    }
  });

  it('says so where it could not settle a question, and where it was cut short', () => {
    expect(ask('What is the anthem of Arn?').text).toMatch(/\(uncertain\)$/);
    const entries = [
      { step: 1, call: { name: 'search_internet', arguments: { query: 'Arn' } }, text: search('Arn') },
      {
        step: 2,
        call: { name: 'browse_page', arguments: { url: 'corpus://arn' } },
        text: sectionText('Arn', 0, 1, PAGES.arn!.text),
      },
    ];
    const memory = { entries, tokens: 100, limit: 24_576, locked: false };
    const final = researchStep(stepInput({ final: true, memory }), seededRng(1));
    expect(final).toContain('<answer>1,204 (partial)');
  });

  it('keeps what it needs when memory fills up, and answers from the note alone', () => {
    const text = sectionText('Arn', 0, 1, PAGES.arn!.text);
    const entries = [{ step: 1, call: { name: 'browse_page', arguments: { url: 'corpus://arn' } }, text }];
    const question = 'What is the river of the valley that is the neighbour of Bel, and its population?';
    const full = stepInput({ question, memory: { entries, tokens: 20_000, limit: 24_576, locked: false } });
    const cleaning = readReply({ text: researchStep(full, seededRng(1)), finish: 'stop' }, TOOLS);
    expect(cleaning).toMatchObject({ kind: 'call', call: { name: 'clean_memory' } });
    const note = String(
      (cleaning as unknown as { call: { arguments: { content: string } } }).call.arguments.content,
    );
    expect(note).toContain('corpus://arn');
    expect(note).toContain('Population: 1,204');
    const memory = { note, entries: [], tokens: 100, limit: 24_576, locked: false };
    const after = researchStep(stepInput({ memory }), seededRng(1));
    expect(after).toContain('<answer>1,204<citations>');
  });

  it('computes what is arithmetic and nothing else', () => {
    expect(ask('What is 12 * (3 + 4)?', { kind: 'math' }).text).toBe('84');
    expect(ask('Calculate 15 percent of 200.').text).toBe('30');
    const first = researchStep(
      stepInput({ question: 'What is the age structure 0-14 years of Arn?' }),
      seededRng(1),
    );
    expect(first).toContain('search_internet');
  });

  it('writes a report whose every sentence is quoted from its pages', () => {
    const { text, citations } = ask('Write a short report on the valley Arn.', { kind: 'report' });
    expect(text).toContain('## Arn');
    expect(citations.length).toBeGreaterThan(0);
    expect(citations.length).toBeLessThanOrEqual(12);
    for (const { url, quote } of citations)
      expect(PAGES[url.replace('corpus://', '')]!.text).toContain(quote);
    for (let n = 1; n <= citations.length; n++) expect(text).toContain(`[${n}]`);
  });

  it('differs between rollouts that explore, and is a function of its input otherwise', () => {
    const input = stepInput({ question: 'What is the river of the valley whose main town is Corham?' });
    expect(researchStep(input, seededRng(1))).toBe(researchStep(input, seededRng(2)));
    const text = search('valley river main town Corham');
    const entries = [
      { step: 1, call: { name: 'search_internet', arguments: { query: 'main town Corham' } }, text },
    ];
    const memory = { entries, tokens: 0, limit: 24_576, locked: false };
    const draws = Array.from({ length: 60 }, (_, k) =>
      researchStep(stepInput({ ...input, memory, explore: true }), seededRng(k)),
    );
    expect(new Set(draws).size).toBeGreaterThan(1);
  });

  it('replies in the asked form whatever it is asked and shown', () => {
    const words = fc.constantFrom(
      'the',
      'of',
      'whose',
      'Arn',
      'river',
      'is',
      ',',
      "'s",
      'what',
      'For',
      '12',
      '(',
      '<answer>',
      'that',
      'who',
    );
    const question = fc.oneof(
      fc.string(),
      fc.array(words, { maxLength: 25 }).map((parts) => parts.join(' ')),
    );
    const entry = fc.record({
      step: fc.integer({ min: 1, max: 9 }),
      call: fc.record({
        name: fc.constantFrom('search_internet', 'browse_page', 'code_interpreter', 'x'),
        arguments: fc.oneof(
          fc.constant({ query: 'Arn' }),
          fc.constant({ url: 'corpus://arn', section_id: 1 }),
          fc.constant({}),
        ),
      }),
      text: fc.oneof(
        fc.string(),
        fc.constant(sectionText('Arn', 0, 3, PAGES.arn!.text)),
        fc.constant(search('Arn river')),
      ),
    });
    fc.assert(
      fc.property(
        question,
        fc.array(entry, { maxLength: 4 }),
        fc.option(fc.string()),
        fc.boolean(),
        (text, entries, note, final) => {
          const memory = {
            entries,
            tokens: 0,
            limit: 100,
            locked: false,
            ...(note === null ? {} : { note }),
          } as StepInput['memory'];
          for (const kind of ['short', 'report', 'math', 'code'] as const) {
            const said = researchStep(stepInput({ question: text, kind, memory, final }), seededRng(1));
            // A question may hold tags itself; an answer that quotes them is still found.
            expect(['call', 'answer', 'error']).toContain(
              readReply({ text: said, finish: 'stop' }, TOOLS).kind,
            );
            expect(said).toMatch(/<tool_call>|<answer>/);
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});
