import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROLE_KEYS } from '#functions/tool-library/input.ts';
import { roles } from '#functions/tool-library/roles.ts';
import { hashOf } from '#shared/determinism/hash.ts';
import { seededRng } from '#shared/determinism/rng.ts';
import { INPUTS } from './builtin-inputs.ts';

/**
 * Answers of builtin algorithms are cached by the version of their role, so another answer needs another version: raise
 * `builtinVersion`, and put the new version on record with
 * `AGENTMILL_RECORD=1 npx vitest run test/functions/tool-library/builtin-versions.test.ts`. What is on record is never
 * changed by that.
 */

const FILE = join(import.meta.dirname, 'builtin-answers.json');
/** Role, version, hash of the answers to `INPUTS`. */
type Answers = Record<string, Record<string, string>>;
const recorded = JSON.parse(readFileSync(FILE, 'utf8')) as Answers;

test.for(ROLE_KEYS)('another answer of %s, another version', async (key) => {
  const role = roles.find(({ name }) => name === `tool-library/${key}`)!;
  const answers: unknown[] = [];
  for (const input of INPUTS[key]) {
    const output = await role.builtin!(role.input.parse(input), seededRng(key));
    answers.push(role.output.parse(output));
  }
  const hash = hashOf([INPUTS[key], answers]).slice(0, 16);
  const versions = (recorded[key] ??= {});
  if (process.env.AGENTMILL_RECORD !== undefined && versions[role.version] === undefined) {
    versions[role.version] = hash;
    writeFileSync(FILE, `${JSON.stringify(recorded, null, 2)}\n`);
  }
  expect(versions[role.version], `${key}: version ${role.version} is not on record`).toBeDefined();
  expect(hash, `${key} answers otherwise than its version ${role.version}: raise its builtinVersion`).toBe(
    versions[role.version],
  );
});
