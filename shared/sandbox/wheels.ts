import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxPackage } from './types.ts';

/** A pure-Python wheel that the interpreter may import from. */
export interface Wheel {
  /** File name, such as `mpmath-1.3.0-py3-none-any.whl`. */
  name: string;
  path: string;
  sha256: string;
}

/** What each package needs. */
const NEEDS: Record<SandboxPackage, SandboxPackage[]> = { sympy: ['mpmath', 'sympy'], mpmath: ['mpmath'] };

/** A package that has no wheel here. */
export class NoWheel extends Error {}

/**
 * The wheels of packages and of what they need, out of the folder that `AGENTMILL_SANDBOX_WHEELS` names.
 * @throws NoWheel naming the package and what to do.
 */
export function wheelsFor(
  env: Readonly<Record<string, string | undefined>>,
  packages: readonly SandboxPackage[],
): Wheel[] {
  const wanted = [...new Set(packages.flatMap((name) => NEEDS[name] ?? [name]))].sort();
  if (wanted.length === 0) return [];
  const folder = env['AGENTMILL_SANDBOX_WHEELS'];
  const names = folder && existsSync(folder) ? readdirSync(folder).sort() : [];
  return wanted.map((wanted) => {
    const name = names.find((file) => file.startsWith(`${wanted}-`) && file.endsWith('-none-any.whl'));
    if (!folder || !name) {
      throw new NoWheel(
        `The package "${wanted}" is not here: put its pure-Python wheel into the folder that AGENTMILL_SANDBOX_WHEELS names.`,
      );
    }
    const path = realpathSync(join(folder, name));
    return { name, path, sha256: createHash('sha256').update(readFileSync(path)).digest('hex') };
  });
}
