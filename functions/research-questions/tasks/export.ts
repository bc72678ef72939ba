import { z } from 'zod';
import { verlParquet, verlRow } from '#shared/research/export/verl.ts';
import { questionId } from '#shared/research/ids.ts';
import type { Question } from '#shared/research/types.ts';
import { readJsonl, writeJson, writeJsonl } from '#shared/storage/jsonl.ts';
import { defineTask } from '#shared/task/define-task.ts';
import { loadConfig, lot, splitOf } from '../config.ts';
import { rowsOf } from '../io.ts';
import { keysOf } from '../keys.ts';
import type { Draft, Reject } from '../records.ts';
import { duplicates, Excluded } from '../synthesis/decontaminate.ts';
import { hopsOf } from '../synthesis/harden.ts';
import { acceptedDrafts, allRejects } from '../synthesis/rounds.ts';
import { count, jobInput } from './schemas.ts';

/** `Export`: decontaminates, splits, and writes the questions and why others are none. */
export const handler = defineTask({
  name: 'research-questions/export',
  evenIfCancelled: true,
  input: z.object(jobInput),
  output: z.object({ questions: count, reports: count }),
  async run({ jobId, config: ref }, ctx) {
    const { artifacts } = ctx;
    const config = await loadConfig(artifacts, ref);
    const { input } = config;
    const keys = keysOf(jobId);
    const rounds = input.hops.max;
    const rejects = await allRejects(artifacts, jobId, rounds);
    rejects.push(...(await rowsOf<Reject>(artifacts, keys.reportRejects)));

    const drafts = await acceptedDrafts(artifacts, jobId, rounds);
    const bySubject = new Map<string, Draft>();
    const short = drafts.map((draft): Question => {
      const id = questionId('short', draft.question);
      bySubject.set(id, draft);
      return {
        id,
        kind: 'short',
        text: draft.question,
        gold: draft.answer,
        hops: hopsOf(draft),
        evidence: draft.evidence,
        ...(draft.hardness === undefined ? {} : { hardness: draft.hardness }),
        split: splitOf(config, draft.seedDocument),
      };
    });
    const reports = await rowsOf<Question>(artifacts, keys.reports);
    const excluded = new Excluded();
    if (input.exclude) {
      for await (const { value } of readJsonl(artifacts, input.exclude.key)) {
        for (const text of textsIn(value)) excluded.add(text);
      }
    }
    const say = (question: Question, code: Reject['code'], detail: string): void => {
      const id = bySubject.get(question.id)?.id ?? question.id;
      rejects.push({ id, stage: 'export', code, detail, question: question.text });
    };
    const clean = (questions: readonly Question[]): Question[] =>
      questions.filter((question) => {
        const shared = excluded.shared(question.text) ?? excluded.shared(question.gold ?? '');
        if (shared !== undefined)
          say(question, 'contaminated', `It shares "${shared}" with what is excluded.`);
        return shared === undefined;
      });
    const unique = clean(short);
    const gone = duplicates(
      unique.map(({ id, text, gold, evidence }) => ({ id, text, answer: gold ?? '', evidence })),
    );
    const kept = unique.filter((question, index) => {
      const why = gone.get(question.id);
      const again = unique.findIndex(({ id }) => id === question.id) < index;
      if (why) say(question, why.code, `Like ${why.of}.`);
      return !why && !again;
    });
    // Which ones stay is drawn, so that no subject at the front of the corpus is preferred.
    const drawn = kept
      .map((question) => ({ question, order: lot(input.seed, 'count', question.id) }))
      .sort((a, b) => a.order - b.order);
    for (const { question } of drawn.slice(input.count))
      say(question, 'surplus', 'More were made than are wanted.');
    const chosen = drawn.slice(0, input.count).map(({ question }) => question);
    const cleanReports = clean(reports);
    const all = [...chosen, ...cleanReports].sort((a, b) => (a.id < b.id ? -1 : 1));

    await writeJsonl(artifacts, keys.output('questions.jsonl'), all);
    await writeJsonl(artifacts, keys.output('rejects.jsonl'), rejects);
    for (const split of ['train', 'test'] as const) {
      const rows = all
        .filter((question) => question.split === split)
        .map((question, index) => verlRow(question, index, 'agentmill/research-questions'));
      await artifacts.put(keys.output(`${split}.parquet`), verlParquet(rows), {
        contentType: 'application/vnd.apache.parquet',
      });
    }
    const tally = (values: readonly (string | number)[]): Record<string, number> => {
      const counts: Record<string, number> = {};
      for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
      return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
    };
    const links = chosen.flatMap(({ id }) =>
      bySubject
        .get(id)!
        .chain.slice(1)
        .map(({ form }) => form),
    );
    await writeJson(artifacts, keys.counts, {
      questions: chosen.length,
      reports: cleanReports.length,
      hops: tally(chosen.map(({ hops }) => hops!)),
      bridges: tally(links),
      splits: tally(all.map(({ split }) => split)),
      rejects: tally(rejects.map(({ code }) => code)),
    });
    return { questions: chosen.length, reports: cleanReports.length };
  },
});

/** Every text in a row of what is excluded: whatever its fields are called. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}
