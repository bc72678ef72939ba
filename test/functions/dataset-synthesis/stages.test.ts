import { afterEach, describe, expect, test } from 'vitest';
import type { InferRequest } from '#shared/models/types.ts';
import { countTokens } from '#shared/text/tokens.ts';
import { bridge, generated, inputOf, jsonl, judged, passes, refuses, scripted } from './bridges.ts';
import { openMachine, type Answer, type Done, type Machine } from './machine.ts';

let machine: Machine | undefined;
afterEach(async () => {
  await machine?.close();
  machine = undefined;
});

const KEY = 'ingest/dataset-synthesis/bridges.jsonl';

/** Runs one job over the given records; answers not given are the script's. */
async function run(
  records: readonly unknown[],
  answers: Record<string, (request: InferRequest) => Answer> = {},
  input: Record<string, unknown> = {},
): Promise<Done & { callsOf(role: string): number }> {
  machine = await openMachine((role, request) => answers[role]?.(request) ?? scripted(role, request));
  await machine.runtime.artifacts.put(KEY, jsonl(records));
  const done = await machine.run({ sources: [{ uri: KEY }], ...input } as never, { model: 'vllm-local' });
  const { calls } = machine;
  return { ...done, callsOf: (role) => calls.filter((call) => call.role === role).length };
}

const codes = (done: Done): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { code } of done.rejects) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
};

/** A text of exactly so many tokens. */
function textOf(tokens: number): string {
  let text = 'Stone';
  while (countTokens(text) < tokens) text += ' bridge';
  return text;
}

test('progress moves when a stage ends subjects and when a part is done, and counts each once', async () => {
  machine = await openMachine((role, request) =>
    role === 'filter' && inputOf(request).text === bridge(2).text ? refuses : scripted(role, request),
  );
  const told: [string, unknown][] = [];
  const { records } = machine.runtime;
  const put = records.put.bind(records);
  records.put = (item, options) => {
    if (item.sk.startsWith('STAGE#')) told.push([item.sk, item.attributes.done]);
    return put(item, options);
  };
  await machine.runtime.artifacts.put(KEY, jsonl([bridge(1), bridge(2), bridge(3)]));
  const done = await machine.run({ sources: [{ uri: KEY }] } as never, { model: 'vllm-local' });
  const of = (stage: string) => told.filter(([sk]) => sk.includes(`#${stage}#`));
  // One part: the refused document first, then all three; the pairs that the gates end, then all.
  expect(of('AnalyseDocuments').map(([, count]) => count)).toEqual([1, 3]);
  const pairs = of('SynthesisePairs').map(([, count]) => Number(count));
  expect(pairs).toHaveLength(2);
  expect(pairs[0]).toBeLessThan(pairs[1]!);
  // Under one name each: a later word replaces the earlier.
  for (const stage of ['AnalyseDocuments', 'SynthesisePairs'])
    expect(new Set(of(stage).map(([sk]) => sk)).size).toBe(1);
  expect(done.job.yields.documents).toBe(3);
});

describe('documents', () => {
  test('[dataset-synthesis 1] 49 tokens are too short and ask nothing; 50 ask the filter once', async () => {
    const done = await run([{ text: textOf(49) }, { text: textOf(50) }], { filter: () => refuses });
    expect(codes(done)).toEqual({ HEURISTIC_SHORT: 1, FILTER_REJECTED: 1 });
    expect(done.rejects[0]!.evidence).toEqual({ tokens: 49, minTokens: 50 });
    expect(machine!.calls.map(({ role }) => role)).toEqual(['filter']);
    expect(done.job.status).toBe('SUCCEEDED');
  });

  test('[dataset-synthesis 2] a filter saying "No" rejects with the docId after one call', async () => {
    const done = await run([bridge(1)], { filter: () => refuses });
    expect(machine!.calls).toHaveLength(1);
    expect(done.rejects).toMatchObject([{ code: 'FILTER_REJECTED', stage: 'filter', class: 'quality' }]);
    expect(done.rejects[0]!.docId).toMatch(/^d[0-9a-f]{32}$/);
  });

  test('[dataset-synthesis 2] an answer without its key is PARSE_ERROR with the raw text', async () => {
    const raw = '{"thought":"hm"}';
    const done = await run(
      [bridge(1)],
      { filter: () => ({ error: 'SCHEMA_INVALID', raw }) },
      { tolerance: { failedPercent: 100 } },
    );
    expect(done.rejects).toMatchObject([{ code: 'PARSE_ERROR', class: 'failure', evidence: { raw } }]);
    expect(done.job.status).toBe('SUCCEEDED_WITH_ERRORS');
  });

  test('[dataset-synthesis 3] an unlisted domain is rejected; personas split on commas outside brackets', async () => {
    const domains = ['Sports', 'social science', 'EDUCATION'];
    const personas = ['x', ' a , b,,c,d', 'teachers (K-12, college)'];
    const seen: string[][] = [];
    const done = await run([bridge(1), bridge(2), bridge(3)], {
      identify: (request) => {
        const n = Number(inputOf(request).text.match(/in (\d{4})\./)![1]) - 1700 - 1;
        return { output: { thought: '', domain: domains[n], personas: personas[n] } };
      },
      generate: (request) => {
        const { personas: all, personaIndex } = request.input as { personas: string[]; personaIndex: number };
        if (personaIndex === 0) seen.push(all);
        return generated('', '', { declined: true });
      },
    });
    expect(codes(done)).toEqual({ DOMAIN_UNKNOWN: 1, GENERATOR_DECLINED: 4 });
    expect(seen).toEqual([['a', 'b', 'c'], ['teachers (K-12, college)']]);
  });

  test('[dataset-synthesis 19] three copies cost one set of calls and leave two duplicates that name the kept one', async () => {
    const done = await run([bridge(1), bridge(1), bridge(1)]);
    expect(machine!.calls.map(({ role }) => role)).toEqual([
      'filter',
      'identify',
      'generate',
      'generate',
      'check',
      'check',
    ]);
    expect(done.rejects.map(({ code, evidence }) => [code, evidence.kept])).toEqual([
      ['DUPLICATE_DOCUMENT', done.records[0]!.docId],
      ['DUPLICATE_DOCUMENT', done.records[0]!.docId],
    ]);
    expect(done.rejects.map(({ source }) => source.line)).toEqual([2, 3]);
  });

  test('[dataset-synthesis 25] only the allowed licence reaches the records, with its attribution', async () => {
    const documents = [
      bridge(1, { licence: 'cc-by-4.0', attribution: 'The Bridge Society' }),
      bridge(2, { licence: undefined }),
      bridge(3, { licence: 'Proprietary' }),
    ];
    const done = await run(documents, {}, { licences: { unknown: 'reject', deny: ['proprietary'] } });
    expect(codes(done)).toEqual({ LICENCE_UNKNOWN: 1, LICENCE_DENIED: 1 });
    expect(done.records).toHaveLength(2);
    for (const record of done.records) {
      expect(record).toMatchObject({
        licence: 'CC-BY-4.0',
        attribution: 'The Bridge Society',
        sourceId: 'b1',
      });
    }
  });
});

describe('pairs', () => {
  test('[dataset-synthesis 4] three personas make 1 + 1 + 3 + 3 calls and three distinct qaIds', async () => {
    const done = await run([bridge(1)], {
      identify: () => ({
        output: { thought: '', domain: 'Education', personas: ['teacher', 'pupil', 'parent'] },
      }),
    });
    expect(['filter', 'identify', 'generate', 'check'].map(done.callsOf)).toEqual([1, 1, 3, 3]);
    expect(new Set(done.records.map(({ qaId }) => qaId)).size).toBe(3);
    expect(done.records.map(({ persona }) => persona)).toEqual(['teacher', 'pupil', 'parent']);
    expect(done.records[0]!.provenance.map(({ stage }) => stage)).toEqual([
      'filter',
      'identify',
      'generate',
      'check',
    ]);
    expect(done.records[0]!.origin).toBe('model');
  });

  test('[dataset-synthesis 5] of the eight verdicts one is accepted; the others say why, with question and answer', async () => {
    let n = 0;
    const done = await run(
      [1, 2, 3, 4].map((id) => bridge(id)),
      {
        check: () => {
          const bits = n++;
          return judged((bits & 4) === 0, (bits & 2) !== 0, (bits & 1) === 0);
        },
      },
    );
    expect(done.records).toHaveLength(1);
    expect(codes(done)).toEqual({ CHECK_INCORRECT: 4, CHECK_LEAK: 2, CHECK_CONTEXT: 1 });
    for (const reject of done.rejects) {
      expect(reject.question).toMatch(/^In what year/);
      expect(reject.answer).toMatch(/^\d{4}$/);
      expect(reject.docId).toBe(reject.pairId!.split('.')[0]);
      expect(Object.keys(reject.evidence).sort()).toEqual([
        'answerCorrect',
        'hasContext',
        'leaksAnswer',
        'thought',
      ]);
    }
  });

  test('[dataset-synthesis 15] an answer inside its question is LEAK_LITERAL and is never judged', async () => {
    const done = await run([bridge(1)], {
      generate: () =>
        generated('In what year, 1701 or 1702, did Birch Bridge in Fenmoor open to road traffic?', '1701'),
    });
    expect(codes(done)).toEqual({ LEAK_LITERAL: 2 });
    expect(done.callsOf('check')).toBe(0);
  });

  test('[dataset-synthesis 16] "Yes" and a choice letter are no answers; "Yes" is one where opted in', async () => {
    const answers: Record<string, (request: InferRequest) => Answer> = {
      generate: (request) =>
        inputOf(request).personaIndex === 0
          ? generated('Is the arch bridge of Fenmoor made of stone rather than of timber?', 'Yes', {
              answerType: 'boolean',
            })
          : generated('Which option names the material of the arch bridge in Fenmoor best?', 'B', {
              answerType: 'phrase',
            }),
    };
    const closed = await run([bridge(1)], answers);
    expect(codes(closed)).toEqual({ ANSWER_BOOLEAN: 1, ANSWER_OPTION: 1 });
    await machine!.close();
    const open = await run([bridge(1)], answers, { answers: { allow: ['boolean', 'phrase'] } });
    expect(codes(open)).toEqual({ ANSWER_OPTION: 1 });
    expect(open.records.map(({ answerType }) => answerType)).toEqual(['boolean']);
  });

  test('[dataset-synthesis 24] ten documents: every planned pair is accounted for', async () => {
    const documents = [...Array.from({ length: 9 }, (_, n) => bridge(n)), { text: 'Too short.' }];
    // Bridge 8 repeats a question of bridge 7, whose year its text names, too.
    documents[8] = bridge(8, { text: `${bridge(8).text} ${bridge(7).text}` });
    const leaking = new Set(['b1', 'b2', 'b3']);
    const idOf = (request: InferRequest) =>
      documents.find((d) => 'title' in d && d.title === inputOf(request).title) as { id: string };
    let judgedBad = 0;
    const done = await run(documents, {
      filter: (request) => (idOf(request).id === 'b0' ? refuses : passes),
      generate: (request) => {
        const { id } = idOf(request);
        if (leaking.has(id) && inputOf(request).personaIndex === 0) {
          return generated('In which year, if 1701 was not it, did the bridge of Fenmoor open?', '1701');
        }
        if (id === 'b8' && inputOf(request).personaIndex === 1) {
          return scripted('generate', { ...request, input: { ...inputOf(request), title: bridge(7).title } });
        }
        return scripted('generate', request);
      },
      check: (request) => judged(!(inputOf(request).question.includes('second span') && judgedBad++ < 2)),
    });
    expect(['filter', 'identify', 'generate', 'check'].map(done.callsOf)).toEqual([9, 8, 16, 13]);
    expect(done.records).toHaveLength(10);
    const counts = done.manifest.content.counts as unknown as Record<string, number>;
    expect(counts).toMatchObject({
      selected: 9,
      qualified: 8,
      planned: 16,
      accepted: 10,
      rejected: 6,
      failed: 0,
      pending: 0,
    });
    expect(counts.planned).toBe(counts.accepted! + counts.rejected! + counts.failed! + counts.pending!);
    expect(codes(done)).toMatchObject({
      HEURISTIC_SHORT: 1,
      FILTER_REJECTED: 1,
      CHECK_INCORRECT: 2,
      DUPLICATE_PAIR: 1,
    });
  });

  test('limits sample a fixed part of the pairs', async () => {
    const documents = Array.from({ length: 12 }, (_, n) => bridge(n));
    const small = await run(documents, {}, { limits: { maxPairs: 7 } });
    expect(small.callsOf('generate')).toBe(7);
    await machine!.close();
    const large = await run(documents, {}, { limits: { maxPairs: 9, maxDocuments: 11 } });
    expect(large.callsOf('generate')).toBe(9);
    expect(large.callsOf('filter')).toBe(11);
  });
});
