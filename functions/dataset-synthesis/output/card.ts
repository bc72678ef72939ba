import type { ArtifactRef } from '#shared/storage/ports.ts';
import { clip } from '../rejects.ts';
import type { SynthesisConfig } from '../config.ts';
import { countsOf, yieldsByStage, type JobFacts } from './facts.ts';
import type { RejectTally } from './rejects.ts';

/** The dataset card, `output/README.md`: YAML front matter that dataset hubs read, then what a user must know. */
export function datasetCard(
  config: SynthesisConfig,
  facts: JobFacts,
  rejects: RejectTally,
  files: ArtifactRef[],
  warnings: { code: string; message: string }[],
): string {
  const { curation } = facts;
  const counts = countsOf(facts);
  const title = oneLine(config.input.output.title ?? 'Questions with checkable answers');
  const byLicence = Object.entries(curation?.byLicence ?? {});
  const sections = [
    frontMatter(config, facts, files, title),
    `# ${title}`,
    config.input.output.description ? plain(config.input.output.description) : undefined,
    `${counts.accepted} question-answer pairs from ${counts.selected} documents.`,
    answeredBy(config),
    section(
      'Method',
      `Each document is filtered, given a domain and up to ${config.input.personas.max} audiences; for each audience one question with a short typed answer is generated from the text, put through programmatic gates (form, grounding, leakage, context, personal data, decontamination) and judged from the text alone. Duplicates and contradictions among all pairs are removed. Seed ${config.input.seed}; configuration ${config.configHash.slice(0, 16)}.`,
    ),
    section('Yields', table(['stage', 'planned', 'ok', 'rejected', 'failed', 'pending'], yieldRows(facts))),
    section(
      'Why items were rejected',
      table(
        ['code', 'items'],
        Object.entries(rejects.byCode).sort(([a], [b]) => (a < b ? -1 : 1)),
      ),
    ),
    section('Domains', table(['domain', 'records'], Object.entries(curation?.byDomain ?? {}))),
    section('Answer types', table(['type', 'records'], Object.entries(curation?.byAnswerType ?? {}))),
    section('Licences', table(['licence', 'records'], byLicence)),
    attributions(facts),
    decontaminated(config, facts, rejects),
    limits(config, facts, warnings),
  ];
  return `${sections.filter((part) => part !== undefined).join('\n\n')}\n`;
}

const SIZES: [limit: number, name: string][] = [
  [1e3, 'n<1K'],
  [1e4, '1K<n<10K'],
  [1e5, '10K<n<100K'],
  [1e6, '100K<n<1M'],
  [1e7, '1M<n<10M'],
];

function frontMatter(
  config: SynthesisConfig,
  { curation }: JobFacts,
  files: ArtifactRef[],
  title: string,
): string {
  const licences = Object.keys(curation?.byLicence ?? {});
  const licence = licences.length === 1 && licences[0] !== 'unknown' ? licences[0]!.toLowerCase() : 'other';
  const languages = Object.keys(curation?.byLanguage ?? {}).filter((lang) => lang !== 'und');
  const records = curation?.records ?? 0;
  const size = SIZES.find(([limit]) => records < limit)?.[1] ?? 'n>10M';
  const extension = config.input.output.parquet ? 'parquet' : 'jsonl';
  return [
    '---',
    `pretty_name: ${JSON.stringify(title)}`,
    `license: ${JSON.stringify(licence)}`,
    'language:',
    ...(languages.length > 0 ? languages : ['und']).map((lang) => `- ${JSON.stringify(lang)}`),
    'size_categories:',
    `- ${size}`,
    'task_categories:',
    '- question-answering',
    ...(files.length > 0
      ? ['configs:', '- config_name: default', '  data_files:', `  - data/part-*.${extension}`]
      : []),
    '---',
  ].join('\n');
}

function answeredBy({ models, builtin }: SynthesisConfig): string {
  const roles = Object.entries(models).map(([role, model]) => `${role}: ${plain(model)}`);
  const answered = Object.entries(builtin)
    .filter(([, is]) => is)
    .map(([role]) => role);
  const note =
    answered.length === 0
      ? ''
      : ` **The roles ${answered.join(', ')} were played by builtin algorithms, not by a language model**: expect plain questions.`;
  return `Models: ${roles.join(', ')}.${note}`;
}

function yieldRows(facts: JobFacts): (string | number)[][] {
  return Object.entries(yieldsByStage(facts)).map(([stage, yields]) => [
    stage,
    ...['planned', 'ok', 'rejected', 'failed', 'pending'].map((name) => yields[name] ?? ''),
  ]);
}

function attributions({ curation }: JobFacts): string | undefined {
  if (!curation || curation.attributions.length === 0) return undefined;
  const lines = curation.attributions.map(
    ({ licence, attribution, records }) => `- ${plain(attribution)} (${plain(licence)}; ${records} records)`,
  );
  if (curation.moreAttributions > 0)
    lines.push(`- and more: see \`attribution\` of ${curation.moreAttributions} further records`);
  return section('Attributions', lines.join('\n'));
}

function decontaminated(config: SynthesisConfig, { benchmarks }: JobFacts, rejects: RejectTally): string {
  const { ngram, action } = config.input.decontamination;
  if (!benchmarks || benchmarks.benchmarks.length === 0) {
    return section(
      'Decontamination',
      'No benchmark was named: the data was not tested for overlap with any.',
    );
  }
  const rows = benchmarks.benchmarks.map(({ name, items, ignoredNgrams }) => [
    name,
    items,
    rejects.byBenchmark.get(name)?.dropped ?? 0,
    ignoredNgrams,
  ]);
  const what = action === 'drop' ? 'dropped' : 'flagged `contaminated:<name>`';
  return section(
    'Decontamination',
    `Pairs that share ${ngram} consecutive words with a benchmark item were ${what}.\n\n${table(['benchmark', 'items', 'dropped', 'template grams ignored'], rows)}`,
  );
}

function limits(
  config: SynthesisConfig,
  facts: JobFacts,
  warnings: { code: string; message: string }[],
): string {
  const lines = [
    'Answers are right as far as the source document is: grounding was tested, truth was not.',
    'The judge sees the text only; questions may still be ambiguous to a reader who knows more.',
    ...((facts.curation?.byLicence.unknown ?? 0) > 0
      ? ['Some source documents name no licence: their records are marked `unknown`; clear them before use.']
      : []),
    ...warnings.map(({ code, message }) => `${code}: ${plain(message)}`),
    `Personal data in pairs: ${config.input.pii === 'reject' ? 'pairs with some were rejected' : config.input.pii === 'flag' ? 'pairs with some are flagged `pii:<kind>`' : 'not looked for'}. Source texts are given as they were.`,
  ];
  return section('Limits', lines.map((line) => `- ${line}`).join('\n'));
}

const section = (title: string, body: string): string => `## ${title}\n\n${body}`;

function table(head: string[], rows: (readonly (string | number)[])[]): string {
  if (rows.length === 0) return 'None.';
  const line = (cells: readonly (string | number)[]): string =>
    `| ${cells.map((cell) => plain(String(cell))).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Text of others inside Markdown: one line, no markup of its own. */
const plain = (text: string): string => oneLine(text).replace(/[|<>[\]`*\\]/g, (mark) => `\\${mark}`);
const oneLine = (text: string): string => clip(text.replace(/\s+/g, ' ').trim(), 2000);
