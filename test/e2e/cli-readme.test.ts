import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, start } from './cli-command.ts';

/** The README's first commands are what CI runs, and the demo among them ends as promised. */

const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');

/** The commands of the first code block, `&&` apart, without comments. */
async function readmeCommands(): Promise<string[]> {
  const block = /^```\w*\n([\s\S]*?)^```/m.exec(await read('README.md'))![1]!;
  return block
    .split('\n')
    .flatMap((line) => line.replace(/#.*/, '').split('&&'))
    .map((command) => command.trim())
    .filter((command) => command !== '');
}

test('[infra-api-cli 30] the README begins with the commands that CI runs', async () => {
  const commands = await readmeCommands();
  expect(commands).toEqual(['npm ci', 'npm run demo', 'npm ci', 'npm test']);
  const ci = (await read('.ci/run')).split('\n').map((line) => line.trim());
  expect(ci).toContain('set -euo pipefail');
  // CI passes the demo a flag for its output and nothing else.
  const run = ci.map((line) => line.replace(/ -- --json$/, ''));
  for (const command of commands) expect(run).toContain(command);
  expect(run.indexOf('npm ci')).toBeLessThan(run.indexOf('npm run demo'));
  for (const more of ['npm run lint', 'npm run synth']) expect(run).toContain(more);
});

test(
  '[infra-api-cli 30] the demo ends in one JSON object whose files exist',
  { timeout: 120_000 },
  async () => {
    const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> };
    const [program, ...args] = scripts.demo!.split(' ');
    expect(program).toBe('node');
    const dir = await mkdtemp(join(tmpdir(), 'agentmill-readme-'));
    try {
      // npm finds the project's own Node in node_modules/.bin first; so does this.
      const path = [join(ROOT, 'node_modules/.bin'), process.env.PATH, dirname(process.execPath)].join(
        delimiter,
      );
      const { code, stdout, stderr } = await start([program!, ...args, '--json'], {
        cwd: ROOT,
        env: { PATH: path, AGENTMILL_DATA_DIR: join(dir, 'data') },
      }).done;
      expect({ code, stderr }).toMatchObject({ code: 0 });
      expect(stdout.trim().split('\n')).toHaveLength(1);
      const summary = JSON.parse(stdout) as Record<string, unknown> & { outputs: string[]; accepted: number };
      expect(summary).toMatchObject({
        jobId: expect.stringMatching(/^dataset-synthesis\./),
        status: 'SUCCEEDED',
        documents: expect.any(Number),
        rejected: expect.any(Number),
        rejectsByCode: expect.any(Object),
        costMicroUsd: 0,
      });
      expect(summary.accepted).toBeGreaterThan(10);
      expect(summary.outputs.map((file) => existsSync(resolve(ROOT, file)))).toEqual(
        summary.outputs.map(() => true),
      );
      const pairs = summary.outputs.find((file) => file.endsWith('.jsonl') && file.includes('/data/'))!;
      expect((await readFile(resolve(ROOT, pairs), 'utf8')).trim().split('\n')).toHaveLength(
        summary.accepted,
      );
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  },
);
