import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { buildProgram } from '#cli/program.ts';
import { checkedPlatform } from '#infra/checked.ts';
import { buildFixture, deploy, sampleModel } from '#test/infra/fixture.ts';

/** Commands that somebody copies at night: each is one that the tools take. */

const DOCS = join(import.meta.dirname, '../../docs');

interface Block {
  page: string;
  text: string;
}

/** The shell blocks of a page, without the indentation of the list they stand in. */
function shellBlocks(page: string, text: string): Block[] {
  return [...text.matchAll(/^( *)```sh\n([\s\S]*?)^\1```/gm)].map(([, indent, block]) => ({
    page,
    text: block!.replace(new RegExp(`^${indent}`, 'gm'), ''),
  }));
}

const pages = readdirSync(DOCS, { recursive: true, withFileTypes: true })
  .filter((file) => file.name.endsWith('.md'))
  .map((file) => join(file.parentPath, file.name));
const texts = pages.map((path) => [path.slice(DOCS.length + 1), readFileSync(path, 'utf8')] as const);
const runbooks = texts.filter(([page]) => page.startsWith('runbooks'));
const blocks = texts.flatMap(([page, text]) => shellBlocks(page, text));

/** Commands of a tool in blocks and in the running text, one a line, up to a pipe or the next command. */
function commandsOf(tool: string, from: readonly (readonly [string, string])[]): Block[] {
  const inline = from.flatMap(([page, text]) =>
    [...text.replace(/```[\s\S]*?```/g, '').matchAll(/`([^`]+)`/g)].map(([, code]) => ({
      page,
      text: code!,
    })),
  );
  const shell = from.flatMap(([page, text]) => shellBlocks(page, text));
  return [...shell, ...inline].flatMap(({ page, text }) =>
    [
      ...text
        .replace(/\\\n\s*/g, ' ')
        .matchAll(new RegExp(`(?:^|\\$\\(|&& |\\| |run )(${tool} (?:--? )?[^|\\n#)]*)`, 'gm')),
    ].map(([, command]) => ({ page, text: command!.replace(/^agentmill -- /, 'agentmill ').trim() })),
  );
}

/** Words as a shell splits them; placeholders stand for themselves. */
const wordsOf = (command: string): string[] =>
  [...command.matchAll(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g)].map(([word]) => word.replace(/["']/g, ''));

test('every shell block is sound for the shell', () => {
  expect(blocks.length).toBeGreaterThan(20);
  for (const { page, text } of blocks) {
    expect(
      () => execFileSync('bash', ['-n'], { input: text, stdio: 'pipe' }),
      `${page}:\n${text}`,
    ).not.toThrow();
  }
});

describe('agentmill', () => {
  const commands = commandsOf('agentmill', texts).filter(
    ({ text }) => /^agentmill [a-z-]/.test(text) && !/…|\$\(|--help|--version/.test(text),
  );

  test('there are commands to look at', () => {
    expect(commands.length).toBeGreaterThan(20);
    expect(commands.filter(({ page }) => page.startsWith('runbooks')).length).toBeGreaterThan(8);
  });

  test.each(commands.map(({ page, text }) => [page, text]))('%s: %s', async (_page, text) => {
    let ran = 0;
    const program = buildProgram(new AbortController().signal, () => {});
    const quiet = (command: typeof program): void => {
      command.configureOutput({ writeErr: () => {}, writeOut: () => {} }).exitOverride();
      for (const child of command.commands) {
        child.action(() => void ran++);
        quiet(child);
      }
    };
    quiet(program);
    const words = wordsOf(text).slice(1);
    // A text that only names a command ("`agentmill resume`") is no command line: its name must be one.
    if (words.length === 1 && program.commands.some((command) => command.name() === words[0])) return;
    await program.parseAsync(words, { from: 'user' });
    expect(ran).toBe(1);
    // The registry of a deployed platform is not read from here.
    expect(words.includes('--endpoint') && words.includes('models')).toBe(false);
  });
});

describe('aws', () => {
  const commands = commandsOf('aws', runbooks);
  const CLIENTS: Record<string, () => Promise<object>> = {
    dynamodb: () => import('@aws-sdk/client-dynamodb'),
    lambda: () => import('@aws-sdk/client-lambda'),
    s3api: () => import('@aws-sdk/client-s3'),
    secretsmanager: () => import('@aws-sdk/client-secrets-manager'),
    sqs: () => import('@aws-sdk/client-sqs'),
    stepfunctions: () => import('@aws-sdk/client-sfn'),
  };

  test('operations are those of the services whose clients are here', async () => {
    let known = 0;
    for (const { page, text } of commands) {
      const [, service, operation] = wordsOf(text);
      const client = await CLIENTS[service!]?.();
      if (!client) continue;
      known++;
      const name = operation!.replace(/(?:^|-)(\w)/g, (_all, letter: string) => letter.toUpperCase());
      expect(Object.keys(client), `${page}: ${text}`).toContain(`${name}Command`);
    }
    expect(known).toBeGreaterThan(12);
  });

  test('functions, log groups and queues are named as the stacks name them', () => {
    const { catalog, routes, models } = checkedPlatform();
    const { stacks } = buildFixture({ catalog, routes, models: [...models, sampleModel({ deploy })] });
    const all = [stacks.data, stacks.models, ...stacks.workflows.values(), stacks.entry, stacks.ops];
    const names = new Set(
      all.flatMap((stack) =>
        Object.values(
          Template.fromStack(stack).toJSON().Resources as Record<
            string,
            { Properties?: Record<string, unknown> }
          >,
        )
          .flatMap(({ Properties = {} }) => [
            Properties.FunctionName,
            Properties.LogGroupName,
            Properties.QueueName,
          ])
          .filter((name) => typeof name === 'string'),
      ),
    );
    const used = runbooks.flatMap(([page, text]) =>
      [
        ...text.matchAll(
          /\/agentmill\/dev\/[\w/-]+|(?:--function-name|--queue-name) (agentmill-dev-[\w-]+)/g,
        ),
      ].map(([name, plain]) => [page, plain ?? name] as const),
    );
    expect(used.length).toBeGreaterThan(3);
    for (const [page, name] of used) expect([...names], page).toContain(name);
  });
});
