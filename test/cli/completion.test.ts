import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { completion } from '#cli/commands/completion.ts';
import { buildProgram } from '#cli/program.ts';

/** What pressing Tab gives. */

const program = buildProgram(new AbortController().signal, () => {});

function scriptFor(shell: string): string {
  let text = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  try {
    expect(completion(program, shell)).toBe(0);
  } finally {
    write.mockRestore();
  }
  return text;
}
afterEach(() => vi.restoreAllMocks());

describe('bash', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'agentmill-completion-'));
    writeFileSync(join(dir, 'bash'), scriptFor('bash'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  /** The words bash offers behind the typed ones; the last may be begun. */
  const offered = async (...words: string[]): Promise<string[]> => {
    const typed = ['agentmill', ...words];
    const script = `source ${join(dir, 'bash')}
      COMP_WORDS=(${typed.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${typed.length - 1}
      _agentmill; printf '%s\\n' "\${COMPREPLY[@]}"; complete -p agentmill >&2`;
    const { stdout, stderr } = await promisify(execFile)('bash', ['--noprofile', '--norc', '-c', script]);
    expect(stderr).toContain('-F _agentmill agentmill');
    return stdout.split('\n').filter((word) => word !== '');
  };

  test('completes commands and the long options of each', async () => {
    const commands = program.commands.map((command) => command.name());
    expect(await offered('')).toEqual(commands);
    expect(await offered('ru')).toEqual(['run']);
    expect(await offered('run', '--st')).toEqual(['--strict']);
    expect(await offered('run', 'dataset-synthesis', '--bud')).toEqual(['--budget']);
    expect(await offered('outputs', '--')).toEqual(expect.arrayContaining(['--to', '--only', '--json']));
    expect(await offered('jobs', '--strict')).toEqual([]);
    expect(await offered('run', 'nothing-like-it')).toEqual([]);
  });
});

test('zsh takes the same function through bashcompinit; fish has a line for each command and option', () => {
  expect(scriptFor('zsh')).toBe(`autoload -U +X bashcompinit && bashcompinit\n${scriptFor('bash')}`);
  const lines = scriptFor('fish').trim().split('\n');
  expect(lines.every((line) => line.startsWith('complete -c agentmill -n '))).toBe(true);
  for (const command of program.commands) {
    expect(
      lines.some((line) => line.includes(`-a ${command.name()} -d "`)),
      command.name(),
    ).toBe(true);
  }
  expect(lines).toContain("complete -c agentmill -n '__fish_seen_subcommand_from run' -l strict");
});

test('another shell is refused with those there are', () => {
  expect(() => completion(program, 'powershell')).toThrow('use bash, zsh or fish');
});
