import { z } from 'zod';

/** The job input of dataset-synthesis (specification section 2): strict, every default filled. */

export const DOMAINS = [
  'Math',
  'Technology & Engineering',
  'Coding',
  'Social Science',
  'Natural Science',
  'Travel & Lifestyle',
  'Commerce & Economics',
  'Medicine & Health',
  'Education',
  'Other',
] as const;

export type Domain = (typeof DOMAINS)[number];
export const DomainSchema = z.enum(DOMAINS);

export const ANSWER_TYPES = [
  'number',
  'quantity',
  'date',
  'name',
  'phrase',
  'list',
  'expression',
  'boolean',
] as const;

export type AnswerType = (typeof ANSWER_TYPES)[number];
export const AnswerTypeSchema = z.enum(ANSWER_TYPES);

/** The four model roles, in the order a document meets them. */
export const ROLE_KEYS = ['filter', 'identify', 'generate', 'check'] as const;
export type RoleKey = (typeof ROLE_KEYS)[number];

const perRole = <T extends z.ZodType>(value: T) =>
  z.strictObject({
    filter: value.optional(),
    identify: value.optional(),
    generate: value.optional(),
    check: value.optional(),
  });

const int = (min: number, max: number) => z.number().int().min(min).max(max);
const text = (max: number) => z.string().min(1).max(max);

/** Column names of a source that differ from the aliases (each names one column). */
export const SourceFieldsSchema = z.strictObject({
  text: text(200).optional(),
  title: text(200).optional(),
  id: text(200).optional(),
  uri: text(200).optional(),
  licence: text(200).optional(),
  lang: text(200).optional(),
  attribution: text(200).optional(),
});

export const SourceSchema = z.strictObject({
  /** An artifact key, a prefix ending in `/`, or `s3://bucket/key`. */
  uri: text(1024),
  format: z.enum(['auto', 'jsonl', 'jsonl.gz', 'parquet', 'text']).default('auto'),
  fields: SourceFieldsSchema.optional(),
  /** Used where a document does not say it itself. */
  defaults: z
    .strictObject({
      licence: text(200).optional(),
      lang: text(35).optional(),
      attribution: text(1000).optional(),
    })
    .optional(),
});

export type Source = z.infer<typeof SourceSchema>;
export type SourceFormat = Exclude<Source['format'], 'auto'>;

export const BenchmarkSchema = z.strictObject({
  name: text(100),
  uri: text(1024),
  fields: z
    .strictObject({ id: text(200).optional(), question: text(200).optional(), choices: text(200).optional() })
    .optional(),
});

export type Benchmark = z.infer<typeof BenchmarkSchema>;

const domainNames = new Map(DOMAINS.map((domain) => [domain.toLowerCase(), domain]));

/** The listed domain a text names, whatever its case; undefined where it names none. */
export const domainNamed = (name: string): Domain | undefined => domainNames.get(name.trim().toLowerCase());

const domainText = z.string().refine((name) => domainNamed(name) !== undefined, {
  error: `is none of the ten domains: ${DOMAINS.join('; ')}`,
});

export const SynthesisInputSchema = z
  .strictObject({
    sources: z.array(SourceSchema).min(1).max(100),
    mode: z.enum(['create', 'preview', 'estimate']).default('create'),
    /** Documents of a preview: those with the lowest sha256(seed|docId). */
    previewDocuments: int(1, 100).default(10),
    seed: int(0, 2 ** 32 - 1).default(42),
    /** Registry names a role; else the job's model, else `builtin`. */
    models: perRole(text(200)).prefault({}),
    temperature: perRole(z.number().min(0).max(2)).prefault({}),
    documents: z
      .strictObject({
        /** Bounds in o200k_base tokens. */
        minTokens: int(1, 1_000_000).default(50),
        maxTokens: int(1, 1_000_000).default(6000),
        maxPassages: int(1, 10_000).default(8),
        /** Bytes of one record or text file. */
        maxBytes: int(1, 8_388_608).default(4_194_304),
        long: z.enum(['split', 'reject']).default('split'),
      })
      .prefault({}),
    limits: z
      .strictObject({
        maxDocuments: int(1, 1e9).optional(),
        /** Candidates, before the gates. */
        maxPairs: int(1, 1e9).optional(),
        maxPairsPerDomain: int(1, 1e9).optional(),
      })
      .prefault({}),
    domains: z
      .strictObject({ only: z.array(domainText).min(1).max(10).optional(), fixed: domainText.optional() })
      .prefault({}),
    personas: z
      .strictObject({ max: int(1, 3).default(3), mode: z.enum(['model', 'instructor']).default('model') })
      .prefault({}),
    fewShot: z.strictObject({ count: int(0, 6).default(2), variants: int(1, 32).default(8) }).prefault({}),
    answers: z
      .strictObject({
        allow: z
          .array(AnswerTypeSchema)
          .min(1)
          .default(['number', 'quantity', 'date', 'name', 'phrase', 'list', 'expression']),
      })
      .prefault({}),
    benchmarks: z.array(BenchmarkSchema).max(50).default([]),
    decontamination: z
      .strictObject({
        /** Words a gram. */
        ngram: int(8, 50).default(13),
        /** Whether source documents are tested too. */
        documents: z.boolean().default(false),
        action: z.enum(['drop', 'flag']).default('drop'),
      })
      .prefault({}),
    dedup: z
      .strictObject({
        documents: z.enum(['off', 'exact', 'near']).default('exact'),
        pairs: z.enum(['off', 'exact', 'near']).default('near'),
        /** Jaccard similarity from which two texts are near duplicates. */
        threshold: z.number().min(0.5).max(0.95).default(0.8),
      })
      .prefault({}),
    licences: z
      .strictObject({
        allow: z.array(text(200)).max(200).optional(),
        deny: z.array(text(200)).max(200).optional(),
        unknown: z.enum(['keep', 'reject']).default('keep'),
      })
      .prefault({}),
    /** BCP 47 primary tags; [] is any. */
    languages: z
      .array(z.string().regex(/^[A-Za-z]{2,8}$/, 'is no BCP 47 primary language tag'))
      .max(50)
      .default([]),
    pii: z.enum(['reject', 'flag', 'off']).default('reject'),
    tolerance: z.strictObject({ failedPercent: z.number().min(0).max(100).default(5) }).prefault({}),
    batch: z
      .strictObject({
        documentsPerShard: int(1, 500).default(50),
        pairsPerShard: int(10, 1000).default(200),
        maxConcurrency: int(1, 1000).default(50),
      })
      .prefault({}),
    output: z
      .strictObject({
        parquet: z.boolean().default(true),
        includeSourceText: z.boolean().default(true),
        recordsPerPart: int(1, 100_000).default(20_000),
        title: text(200).optional(),
        description: text(2000).optional(),
      })
      .prefault({}),
  })
  .superRefine((input, context) => {
    const fault = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message, input: undefined });
    if (input.domains.only && input.domains.fixed) {
      fault(['domains'], 'names both `only` and `fixed`: give one of them');
    }
    if (input.documents.minTokens > input.documents.maxTokens) {
      fault(['documents', 'minTokens'], 'is larger than documents.maxTokens');
    }
    const seen = new Set<string>();
    input.benchmarks.forEach((benchmark, index) => {
      if (seen.has(benchmark.name)) fault(['benchmarks', index, 'name'], `is used twice: ${benchmark.name}`);
      seen.add(benchmark.name);
    });
  });

export type SynthesisInput = z.infer<typeof SynthesisInputSchema>;
