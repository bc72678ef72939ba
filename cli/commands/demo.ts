import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';
import { runJob, workflowNamed } from '../jobs-flow.ts';

const ROOT = join(import.meta.dirname, '../..');

/** `agentmill demo`: a workflow's main job on the examples written for it. */
export async function demo(
  context: CommandContext,
  options: { workflow: string; strict?: boolean },
): Promise<number> {
  const entry = workflowNamed(options.workflow);
  const jobFile = join(ROOT, 'examples', entry.name, 'job.json');
  if (!existsSync(jobFile)) throw new CliError(EXIT.usage, `${entry.name} has no example to demonstrate.`);
  // The example names its files from the project's root, wherever the command is called.
  const here = process.cwd();
  if (context.settings.dataDir.origin === 'default') {
    context.settings.dataDir = { ...context.settings.dataDir, value: join(here, '.agentmill') };
  }
  process.chdir(ROOT);
  try {
    context.output.note(`${entry.title}: ${exampleTitle(jobFile)}`);
    return await runJob(context, entry.name, { input: jobFile, strict: options.strict ?? false });
  } finally {
    process.chdir(here);
  }
}

function exampleTitle(jobFile: string): string {
  const input = JSON.parse(readFileSync(jobFile, 'utf8')) as {
    sources?: { uri: string }[];
    source?: unknown;
    questions?: { key: string };
  };
  const files = (input.sources ?? []).map((source) => source.uri);
  if (files.length > 0) return `the documents of ${files.join(', ')}`;
  if (input.questions) return `the questions of ${input.questions.key}`;
  return typeof input.source === 'string' ? input.source : jobFile;
}
