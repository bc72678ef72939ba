import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { conflict, notFound } from '#shared/task/errors.ts';
import type { Runtime } from '#shared/task/runtime.ts';
import type { Encoder } from '#shared/text/encoder.ts';
import { corpusInfo } from './build.ts';
import { Corpus } from './corpus.ts';
import { download, localFolder } from './local-files.ts';
import { openForReading } from './schema.ts';

/** Indexes a process keeps open at once. */
const MAX_OPEN = 8;

const opened = new WeakMap<object, Map<string, Promise<Corpus>>>();

/**
 * Opens a finished index; its file is copied to this machine once a process and runtime.
 * @param encoder default: the process's sentence encoder.
 * @throws NotFound where no index of that id is finished: a half-built one is never searched.
 */
export function openCorpus(
  runtime: Pick<Runtime, 'artifacts'>,
  corpusId: string,
  encoder?: () => Promise<Encoder>,
): Promise<Corpus> {
  let corpora = opened.get(runtime.artifacts);
  if (!corpora) opened.set(runtime.artifacts, (corpora = new Map()));
  const found = corpora.get(corpusId);
  // The latest used is last.
  corpora.delete(corpusId);
  const corpus =
    found ??
    open(runtime, corpusId, encoder).catch((error: unknown) => {
      corpora.delete(corpusId);
      throw error;
    });
  corpora.set(corpusId, corpus);
  const [oldest] = corpora.keys();
  // Whoever still reads it may go on: it closes when nobody knows it.
  if (corpora.size > MAX_OPEN) corpora.delete(oldest!);
  return corpus;
}

async function open(
  runtime: Pick<Runtime, 'artifacts'>,
  corpusId: string,
  encoder?: () => Promise<Encoder>,
): Promise<Corpus> {
  const info = await corpusInfo(runtime, corpusId);
  if (!info) throw notFound(`There is no finished index ${corpusId}: run IndexCorpus to its end first.`);
  const path = join(localFolder(), `${corpusId}.${process.hrtime.bigint()}.sqlite`);
  await download(runtime.artifacts, info.artifact, path);
  const db = openForReading(path);
  // Open files outlive their names, so none is left behind.
  await rm(path, { force: true });
  return new Corpus(db, info, encoder ?? (() => encoderOf(info)));
}

async function encoderOf({
  corpusId,
  encoder,
}: {
  corpusId: string;
  encoder?: { id: string };
}): Promise<Encoder> {
  const { sentenceEncoder } = await import('#shared/text/encoder.ts');
  const current = await sentenceEncoder();
  if (encoder && current.id !== encoder.id)
    throw conflict(
      `The index ${corpusId} was made with ${encoder.id}, this process has ${current.id}: index again.`,
    );
  return current;
}
