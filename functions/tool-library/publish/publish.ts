import { z } from 'zod';
import { setAlias } from '#shared/library/aliases.ts';
import { markPublished, publishVersion, type LibraryFile } from '#shared/library/store.ts';
import { readJson } from '#shared/storage/jsonl.ts';
import { refIfAny } from '#shared/storage/refs.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import type { TaskContext } from '#shared/task/context.ts';
import { defect } from '#shared/task/errors.ts';
import { SENTENCE_ENCODER } from '#shared/text/encoder.ts';
import type { ToolLibraryConfig } from '../config.ts';
import { keys } from '../keys.ts';

/** What a publication reads of `output/report.json`; the rest of the report is for people. */
const ReportFacts = z.looseObject({
  counts: z.record(z.string(), z.number()),
  yields: z.record(z.string(), z.number()),
  losslessness: z.object({ cases: z.int(), passing: z.int(), coverage: z.number() }),
  partial: z.boolean(),
});

export interface Published {
  libraryId: string;
  version: string;
  number: number;
  tools: number;
  partial: boolean;
  /** The alias that moved; absent where none was to, or where the library is partial. */
  alias?: string;
}

/**
 * Publishes what the job made: files, number, manifest, then the alias, then `_SUCCESS` (section 4.8). A partial library
 * gets its version, its alias stays (section 11).
 * @throws Defect where a library that is not lossless got here.
 */
export async function publishLibrary(
  ctx: Pick<TaskContext, 'artifacts' | 'runtime' | 'owner' | 'log'>,
  config: ToolLibraryConfig,
): Promise<Published> {
  const { artifacts, runtime } = ctx;
  const { jobId, input } = config;
  const facts = ReportFacts.parse(await readJson(artifacts, keys.report(jobId)));
  const { coverage } = facts.losslessness;
  if (coverage !== 1)
    throw defect(`The library's coverage is ${coverage}: it lost a case and cannot be published.`);
  const library = await publishVersion(runtime, {
    libraryId: input.libraryId,
    owner: ctx.owner ?? 'local',
    files: await filesOf(artifacts, jobId),
    manifest: {
      ...(config.base === undefined ? {} : { baseVersion: config.base }),
      counts: facts.counts,
      yields: facts.yields,
      encoder: { ...SENTENCE_ENCODER },
      partial: facts.partial,
      losslessness: facts.losslessness,
      configHash: config.configHash,
    },
  });
  const alias = facts.partial ? undefined : input.publish?.alias;
  const { libraryId, version, number } = library;
  if (alias !== undefined) await setAlias(runtime, { libraryId, name: alias, version });
  await markPublished(runtime, library);
  const vectors = library.files.find(({ key }) => key.endsWith('/vectors.f32'));
  const tools = (vectors?.bytes ?? 0) / (4 * SENTENCE_ENCODER.dims);
  return {
    libraryId,
    version,
    number,
    tools,
    partial: facts.partial,
    ...(alias === undefined ? {} : { alias }),
  };
}

async function filesOf(
  artifacts: TaskContext['artifacts'],
  jobId: string,
): Promise<Partial<Record<LibraryFile, ArtifactRef>>> {
  const places: Record<LibraryFile, string> = {
    'tools.jsonl': keys.library(jobId, 'tools'),
    'modules.jsonl': keys.library(jobId, 'modules'),
    'cases.jsonl': keys.library(jobId, 'cases'),
    'mappings.jsonl': keys.library(jobId, 'mappings'),
    'tree.json': keys.tree(jobId, 'final.json'),
    'report.json': keys.report(jobId),
    'search.jsonl': `${keys.index(jobId)}/search.jsonl`,
    'vectors.f32': `${keys.index(jobId)}/vectors.f32`,
  };
  const files: Partial<Record<LibraryFile, ArtifactRef>> = {};
  for (const [name, key] of Object.entries(places) as [LibraryFile, string][]) {
    const ref = await refIfAny(artifacts, key);
    if (ref) files[name] = ref;
  }
  for (const name of ['tools.jsonl', 'search.jsonl', 'vectors.f32'] as const)
    if (!files[name]) throw defect(`There is no ${name} to publish.`);
  return files;
}
