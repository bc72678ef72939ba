import type { ArtifactRef, Json } from '#shared/storage/ports.ts';
import { candidateProbability } from '#shared/text/minhash.ts';
import type { SynthesisConfig } from '../config.ts';
import { PAIR_BANDS, PAIR_ROWS } from '../curation/duplicates.ts';
import { DOCUMENT_BANDS, DOCUMENT_ROWS } from '../selection/documents.ts';
import { countsOf, yieldsByStage, type JobFacts } from './facts.ts';
import type { RejectTally } from './rejects.ts';

/** `manifest.content`: all that equal runs have in common. Keys of shards are relative to `output/`. */
export function manifestContent(
  config: SynthesisConfig,
  facts: JobFacts,
  rejects: RejectTally,
  files: ArtifactRef[],
): { [key: string]: Json } {
  const { curation } = facts;
  const prefix = `jobs/${config.jobId}/output/`;
  const shards = files.map(({ key, sha256, bytes, count }) => ({
    key: key.startsWith(prefix) ? key.slice(prefix.length) : key,
    sha256,
    bytes,
    count: count ?? 0,
  }));
  const content = {
    configHash: config.configHash,
    seed: config.input.seed,
    roles: config.roles,
    models: config.models,
    fewShotHash: config.fewShotHash,
    counts: countsOf(facts),
    rejectsByCode: sorted(rejects.byCode),
    yieldsByStage: yieldsByStage(facts),
    byDomain: curation?.byDomain ?? {},
    byLicence: curation?.byLicence ?? {},
    byAnswerType: curation?.byAnswerType ?? {},
    byOrigin: curation?.byOrigin ?? {},
    byFlag: curation?.byFlag ?? {},
    bandCurve: bandCurve(config),
    decontamination: decontamination(config, facts, rejects),
    shards,
  };
  return JSON.parse(JSON.stringify(content)) as { [key: string]: Json };
}

const sorted = (counts: Partial<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1))) as Record<string, number>;

/** How probably near duplicates of a given similarity are found: the banding curve of what the job used. */
function bandCurve({ input }: SynthesisConfig) {
  const curve = (bands: number, rows: number) => ({
    bands,
    rows,
    threshold: input.dedup.threshold,
    probability: Object.fromEntries(
      [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9].map((s) => [
        String(s),
        Math.round(candidateProbability(s, bands, rows) * 1e6) / 1e6,
      ]),
    ),
  });
  return {
    ...(input.dedup.pairs === 'near' ? { pairs: curve(PAIR_BANDS, PAIR_ROWS) } : {}),
    ...(input.dedup.documents === 'near' ? { documents: curve(DOCUMENT_BANDS, DOCUMENT_ROWS) } : {}),
  };
}

function decontamination({ input }: SynthesisConfig, { benchmarks }: JobFacts, rejects: RejectTally) {
  return {
    ngram: input.decontamination.ngram,
    action: input.decontamination.action,
    benchmarks: (benchmarks?.benchmarks ?? []).map(({ name, items, ignoredNgrams }) => {
      const drops = rejects.byBenchmark.get(name);
      const topNgrams = [...(drops?.grams ?? [])]
        .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
        .slice(0, 10)
        .map(([gram, count]) => ({ gram, count }));
      return { name, items, dropped: drops?.dropped ?? 0, ignoredNgrams, topNgrams };
    }),
  };
}

/** Things a user of the data should know. */
export function warningsOf(config: SynthesisConfig, facts: JobFacts): { code: string; message: string }[] {
  const warnings: { code: string; message: string }[] = [];
  const warn = (code: string, message: string): void => void warnings.push({ code, message });
  const { models, builtin } = config;
  if (models.generate === models.check && !builtin.generate) {
    warn('SELF_JUDGED', `${models.generate} generates and checks: give \`models.check\` another model.`);
  }
  const ids = facts.selection?.duplicateSourceIds ?? 0;
  if (ids > 0)
    warn(
      'DUPLICATE_SOURCE_ID',
      `${ids} documents carry a source id that another text has, too; all are kept.`,
    );
  const unknown = facts.curation?.byLicence.unknown ?? 0;
  if (unknown > 0) {
    warn(
      'UNKNOWN_LICENCE',
      `${unknown} records come from documents without a licence; see licences.unknown.`,
    );
  }
  const lost = (facts.analysis?.lost ?? 0) + (facts.curation?.lost ?? 0);
  if (lost > 0) warn('SHARD_LOST', `${lost} subjects were lost with their child executions; resume the job.`);
  const { documents } = config.input.dedup;
  if (documents === 'off')
    warn('DUPLICATES_KEPT', 'Equal documents were not removed (dedup.documents is off).');
  return warnings;
}
