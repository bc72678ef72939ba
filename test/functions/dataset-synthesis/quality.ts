/**
 * Runs the four builtin roles and gates 2 to 7 over documents in one process and prints what comes out, for reading.
 *
 *   node test/functions/dataset-synthesis/quality.ts FILE.jsonl [--sample 50] [--seed 1] [--rejects] [--documents N]
 *
 * docs/quality.md says how its readings were made with it.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { sha256Hex } from '#shared/determinism/hash.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { check, filter, generate, identify } from '#functions/dataset-synthesis/builtin/index.ts';
import type { GateVerdict } from '#functions/dataset-synthesis/gates/contract.ts';
import { parseDomain, parsePersonas, runPairGates } from '#functions/dataset-synthesis/gates/index.ts';
import {
  ANSWER_TYPES,
  DOMAINS,
  verdictOf,
  type AnswerType,
  type Document,
} from '#functions/dataset-synthesis/records.ts';

export interface Pair {
  id: string;
  source: string;
  domain: string;
  persona: string;
  question: string;
  answer: string;
  type: string;
  quote: string;
}

export interface Run {
  documents: number;
  qualified: number;
  accepted: Pair[];
  rejects: { code: string; id: string; question?: string; answer?: string; evidence?: unknown }[];
  domains: Record<string, number>;
  seconds: number;
}

const ALLOW = ANSWER_TYPES.filter((type) => type !== 'boolean') as AnswerType[];

/** What the pipeline does with each document, without its files, cache and deduplication. */
export function runBuiltins(rows: { id?: string; title?: string; text: string }[], personaCount = 3): Run {
  const started = performance.now();
  const run: Run = {
    documents: rows.length,
    qualified: 0,
    accepted: [],
    rejects: [],
    domains: {},
    seconds: 0,
  };
  const seen = new Set<string>();
  for (const row of rows) {
    const docId = `d${sha256Hex(row.text).slice(0, 32)}`;
    const id = row.id ?? docId;
    const base = { docId, text: row.text, ...(row.title ? { title: row.title } : {}) };
    const verdict = filter(base);
    if (!verdictOf(verdict.qualified)) {
      run.rejects.push({ code: `FILTER_REJECTED/${verdict.reason}`, id });
      continue;
    }
    run.qualified++;
    const analysis = identify(
      { ...base, domains: [...DOMAINS], maxPersonas: personaCount },
      seededRng(docId, 'identify'),
    );
    const domain = parseDomain(analysis.domain)!;
    run.domains[domain] = (run.domains[domain] ?? 0) + 1;
    const personas = parsePersonas(analysis.personas, personaCount);
    personas.forEach((persona, personaIndex) => {
      const out = generate({
        ...base,
        domain,
        persona,
        personaIndex,
        personas,
        answerTypes: ALLOW,
        examples: [],
      });
      if (out.declined) return void run.rejects.push({ code: 'GENERATOR_DECLINED', id });
      const document: Document = {
        docId,
        sourceUri: id,
        position: { file: id, line: 1, byteStart: 0, byteEnd: 0 },
        text: row.text,
        licence: 'unknown',
        tokens: 0,
        meta: {},
        ...(row.title ? { title: row.title } : {}),
      };
      const gated: GateVerdict = runPairGates(
        {
          pairId: `${docId}.${personaIndex}`,
          docId,
          personaIndex,
          domain,
          persona,
          question: out.question,
          answer: out.answer,
          answerType: out.answerType as AnswerType,
          aliases: out.aliases,
          evidence: out.evidence,
        },
        document,
        { answers: { allow: ALLOW }, pii: 'reject' },
      );
      const about = { id, question: out.question, answer: out.answer };
      if (!gated.pass) return void run.rejects.push({ code: gated.code, ...about, evidence: gated.evidence });
      const judged = check({ ...base, question: out.question, answer: out.answer });
      if (!verdictOf(judged.answerCorrect))
        return void run.rejects.push({ code: 'CHECK_INCORRECT', ...about, evidence: judged.thought });
      if (verdictOf(judged.leaksAnswer)) return void run.rejects.push({ code: 'CHECK_LEAK', ...about });
      if (!verdictOf(judged.hasContext)) return void run.rejects.push({ code: 'CHECK_CONTEXT', ...about });
      const key = `${out.question}|${gated.candidate.answerKey}`;
      if (seen.has(key)) return void run.rejects.push({ code: 'DUPLICATE_PAIR', ...about });
      seen.add(key);
      run.accepted.push({
        id: `${id}.${personaIndex}`,
        source: id,
        domain,
        persona,
        question: out.question,
        answer: out.answer,
        type: gated.candidate.answerType,
        quote: gated.candidate.span?.quote ?? '',
      });
    });
  }
  run.seconds = (performance.now() - started) / 1000;
  return run;
}

/** Documents of a JSONL file with `text` and, where they have them, `id` and `title`. */
export const readRows = (file: string): { id?: string; title?: string; text: string }[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as { id?: string; title?: string; text: string })
    .filter((row) => typeof row.text === 'string' && row.text !== '');

if (process.argv[1] === import.meta.filename) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      sample: { type: 'string', default: '50' },
      seed: { type: 'string', default: '1' },
      rejects: { type: 'boolean' },
      match: { type: 'string' },
    },
  });
  const run = runBuiltins(positionals.flatMap(readRows));
  const codes: Record<string, number> = {};
  for (const reject of run.rejects) codes[reject.code] = (codes[reject.code] ?? 0) + 1;
  console.log(
    `${run.documents} documents, ${run.qualified} qualified, ${run.accepted.length} accepted, ${(run.accepted.length / (run.qualified || 1)).toFixed(2)} a qualified document, ${(run.documents / run.seconds).toFixed(0)} docs/s`,
  );
  console.log(codes, run.domains);
  const pool = values.match
    ? run.accepted.filter((pair) => new RegExp(values.match!, 'i').test(`${pair.id} ${pair.question}`))
    : run.accepted;
  for (const pair of seededRng(Number(values.seed), 'quality')
    .shuffle(pool)
    .slice(0, Number(values.sample))) {
    console.log(
      `\n[${pair.id}] ${pair.domain} / ${pair.persona}\nQ ${pair.question}\nA ${pair.answer} (${pair.type})\nE ${pair.quote.slice(0, 300)}`,
    );
  }
  if (values.rejects)
    for (const reject of run.rejects)
      if (reject.question)
        console.log(
          `\n${reject.code} [${reject.id}] ${reject.question} => ${reject.answer} ${JSON.stringify(reject.evidence)}`,
        );
}
