import { readFileSync, realpathSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { moduleBeside } from '#shared/task/beside.ts';

/**
 * The child's own modules. Every child is a process of its own: types that each of them takes out of them anew are a
 * fourth of the work of its start. So they are taken out once, and lie with the snapshot.
 */

/** The child's first module, as it lies here. */
export const childSource = (): string => fileURLToPath(moduleBeside(import.meta.url, 'sandbox-child'));

/** The folder that holds the child's own modules. */
export const modulesFolder = (): string => realpathSync(dirname(childSource()));

/** Takes the types out, without Node's warning that it is new to this: it is what Node itself does here. */
function withoutTypes(source: string): string {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(source);
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** Imports from the same folder, which is all that the child has. */
const IMPORT = /(\bfrom\s+'\.\/)([\w-]+)\.ts'/g;

/** The child's modules as JavaScript, each under its file's name; none where they are JavaScript already. */
export function plainModules(): { name: string; text: string }[] {
  const first = childSource();
  if (extname(first) !== '.ts') return [];
  // What is imported is added while the list is walked.
  const names = new Set([basename(first, '.ts')]);
  const modules = [];
  for (const name of names) {
    const source = withoutTypes(readFileSync(join(dirname(first), `${name}.ts`), 'utf8'));
    for (const [, , imported] of source.matchAll(IMPORT)) names.add(imported!);
    modules.push({ name: `${name}.mjs`, text: source.replace(IMPORT, "$1$2.mjs'") });
  }
  return modules;
}
