import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { librariesCommand, type LibraryOptions } from '#cli/commands/libraries.ts';
import { serveMcp } from '#cli/commands/mcp.ts';
import type { CommandContext } from '#cli/context.ts';
import { makeOutput, type Output } from '#cli/output.ts';
import { resolveSettings } from '#cli/settings.ts';
import type { Library } from '#shared/library/types.ts';
import { hundredTools, libraryTool, PROFIT, publishTools } from '#test/support/library.ts';
import { embeddedRuntime } from '#test/support/runtime.ts';
import { ROOT, start, type Ran } from './cli-command.ts';

/** Libraries from the command line, and a client of the Model Context Protocol against the real command. */

const PATIENCE = { timeout: 120_000 };
const MAIN = join(ROOT, 'cli/main.ts');

let dir: string;
let versions: Library[];
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'agentmill-libraries-'));
  const world = await embeddedRuntime({ dir });
  const divide = libraryTool('divide', 'Divides.', 'def divide(a, b=0):\n    return a / b', {
    parameters: { a: 'number' },
    options: { b: 'number' },
  });
  versions = [
    await publishTools(world.runtime, 'sums', [divide]),
    await publishTools(world.runtime, 'sums', [PROFIT, divide]),
  ];
  await world.close();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const agentmill = (...args: string[]): Promise<Ran> =>
  start([process.execPath, MAIN, ...args, '--data-dir', dir], { cwd: dir }).done;

/** What a command printed in this process, with the settings of the command line. */
async function libraries(args: readonly string[], options: LibraryOptions = {}, json = false) {
  const printed: string[] = [];
  const said = makeOutput({ json, quiet: true, color: false });
  const output: Output = {
    ...said,
    print: (text) => void printed.push(text),
    result: (value) => void printed.push(JSON.stringify(value)),
  };
  const context: CommandContext = {
    settings: resolveSettings({ dataDir: dir }, {}, dir),
    output,
    interrupted: new AbortController().signal,
  };
  const [action, ...rest] = args;
  const code = await librariesCommand(context, action, rest, options);
  return { code, text: printed.join('\n') };
}

describe('agentmill libraries', () => {
  test('lists, shows, searches, invokes, exports and moves aliases', PATIENCE, async () => {
    const json = async (args: readonly string[], options?: LibraryOptions) =>
      JSON.parse((await libraries(args, options, true)).text) as unknown;
    expect(await json([])).toEqual([{ libraryId: 'sums', owner: 'local' }]);
    expect((await libraries(['show', 'sums'])).text).toMatch(
      new RegExp(`2 +${versions[1]!.version} +latest +2 `),
    );
    const found = await json(['search', 'sums', 'profit', 'from', 'selling', 'roses'], { k: '1' });
    expect(found).toMatchObject({ version: versions[1]!.version, hits: [{ name: PROFIT.name }] });
    const args = '{"quantity":24,"price":3}';
    expect(await libraries(['invoke', 'sums', PROFIT.name], { args })).toEqual({ code: 0, text: '45' });
    const raised = await libraries(['invoke', 'sums', 'divide'], { args: '{"a":1}' });
    expect(raised.code).toBe(1);
    expect(raised.text).toMatch(/^ZeroDivisionError: /);
    expect(await json(['tools', 'sums'], { format: 'openai' })).toMatchObject([
      { type: 'function', function: { name: PROFIT.name } },
      { type: 'function', function: { name: 'divide' } },
    ]);
    expect(await json(['tools', 'sums'], { format: 'mcp' })).toMatchObject({
      tools: [{ name: PROFIT.name }, { name: 'divide' }],
    });
    expect((await libraries(['tools', 'sums'])).text).toContain('money / profit');
    await json(['alias', 'sums', 'latest', versions[0]!.version], { if: versions[1]!.version });
    expect(await json(['search', 'sums', 'profit'])).toMatchObject({ version: versions[0]!.version });
    const stale = ['alias', 'sums', 'latest', versions[1]!.version];
    await expect(libraries(stale, { if: versions[1]!.version })).rejects.toThrow('points at');
    await json(stale);
  });

  test('says what is wrong', PATIENCE, async () => {
    const search = ['search', 'sums', 'x'];
    for (const [args, options, exitCode, message] of [
      [['show', 'nothing'], {}, 5, /The library "nothing"/],
      [search, { k: '21' }, 2, /k is 21/],
      [search, { k: 'few' }, 2, /--k few: give a number/],
      [['invoke', 'sums', 'divide'], { args: '[1]' }, 2, /give a JSON object/],
      [['invoke', 'sums', 'divide'], { args: '{"a":"1"}' }, 2, /do not fit/],
      [['tools', 'sums'], { format: 'xml' }, 2, /agentmill, openai or mcp/],
      [['burn', 'sums'], {}, 2, /use list, show/],
      [['invoke', 'sums', 'divide', '3'], {}, 2, /invoke does not take "3"/],
      [['list', 'sums'], {}, 2, /list does not take "sums"/],
      [['invoke', 'nothing', 'divide'], {}, 5, /^The library "nothing"/],
      [['alias', 'nothing', 'a', 'latest'], {}, 5, /^The library "nothing"/],
      [['tools', 'sums'], { version: 'none' }, 5, /^The library sums has no version or alias "none"/],
      [['search', 'sums'], {}, 2, /needs what to look for/],
    ] as const)
      await expect(libraries(args, options)).rejects.toMatchObject({
        exitCode,
        message: expect.stringMatching(message),
      });
  });

  test('is a command', PATIENCE, async () => {
    const ran = await agentmill(
      'libraries',
      'search',
      'sums',
      'divide',
      '--version',
      versions[0]!.version,
      '--json',
    );
    expect(ran).toMatchObject({ code: 0 });
    expect(JSON.parse(ran.stdout)).toMatchObject({ version: versions[0]!.version });
  });
});

describe('agentmill mcp', () => {
  test('serves a library to an MCP client over stdio', PATIENCE, async () => {
    const client = new Client({ name: 'test', version: '1' });
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [MAIN, 'mcp', '--library', 'sums', '--data-dir', dir],
      stderr: 'ignore',
    });
    try {
      await client.connect(transport);
      expect(client.getServerVersion()).toEqual({ name: 'agentmill sums', version: versions[1]!.version });
      const { tools } = await client.listTools();
      expect(tools.map(({ name }) => name)).toEqual([PROFIT.name, 'divide']);
      expect(tools[0]).toMatchObject({
        inputSchema: { type: 'object', required: ['quantity', 'price'], additionalProperties: false },
        annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
      });
      const call = (name: string, values: Record<string, unknown>) =>
        client.callTool({ name, arguments: values });
      expect(await call(PROFIT.name, { quantity: 24, price: 3 })).toEqual({
        content: [{ type: 'text', text: '45' }],
      });
      const raised = await call('divide', { a: 1 });
      expect(raised).toMatchObject({
        isError: true,
        content: [{ type: 'text', text: expect.stringMatching(/^ZeroDivisionError/) }],
      });
      // For the model to put right: MCP's revision of November 2025, SEP-1303.
      expect(await call(PROFIT.name, { quantity: 'many' })).toMatchObject({
        isError: true,
        content: [{ type: 'text', text: expect.stringMatching(/arguments do not fit.*quantity/s) }],
      });
      await expect(call('nothing', {})).rejects.toThrow(/-32602.*no tool "nothing"/);
      await expect(call('../x?y=1', {})).rejects.toThrow(/-32602.*no tool "..\/x\?y=1"/);
    } finally {
      await client.close();
    }
  });

  /** What the server answers to lines that are all written before any is read; stdin ends after them. */
  async function piped(library: string, lines: readonly unknown[]) {
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    const notes: string[] = [];
    const output: Output = {
      ...makeOutput({ json: false, quiet: true, color: false }),
      note: (text) => void notes.push(text),
    };
    const settings = resolveSettings({ dataDir: dir }, {}, dir);
    const interrupted = new AbortController().signal;
    stdin.end(lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''));
    const code = await serveMcp({ settings, output, interrupted }, { library }, { stdin, stdout });
    const answers = String(stdout.read() ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Answer);
    return { code, notes, answers: new Map(answers.map((answer) => [answer.id, answer])) };
  }
  interface Answer {
    jsonrpc: '2.0';
    id: number;
    result?: { tools?: { name: string }[]; nextCursor?: string; content?: { text: string }[] };
    error?: { code: number; message: string };
  }
  const ask = (id: number, method: string, params?: unknown) => ({ jsonrpc: '2.0', id, method, params });

  test(
    'answers what was asked before its input ended, line by line, whatever is between',
    PATIENCE,
    async () => {
      const call = { name: PROFIT.name, arguments: { quantity: 24, price: 3 } };
      const { code, notes, answers } = await piped('sums', [
        '{not json',
        '',
        '"text"',
        { a: 1 },
        [ask(90, 'ping'), ask(91, 'ping')],
        ask(1, 'initialize', {
          protocolVersion: '2025-06-18',
          capabilities: {},
          clientInfo: { name: 'raw', version: '1' },
        }),
        { jsonrpc: '2.0', method: 'notifications/initialized' },
        ask(2, 'ping'),
        ask(3, 'resources/list'),
        ask(4, 'tools/list'),
        ask(5, 'tools/list', { cursor: 'none of mine' }),
        ask(6, 'tools/list', { cursor: 7 }),
        ask(7, 'tools/call', {}),
        ask(8, 'tools/call', { name: PROFIT.name, arguments: [1] }),
        ask(9, 'tools/call', call),
        { jsonrpc: '2.0', method: 'notifications/unheard-of' },
        ask(10, 'tools/call', call),
        { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 10 } },
        ask(11, 'tools/call', { ...call, arguments: { quantity: 'x'.repeat(300_000) } }),
      ]);
      expect(code).toBe(0);
      expect(answers.get(1)!.result).toMatchObject({ serverInfo: { name: 'agentmill sums' } });
      expect(answers.get(2)!.result).toEqual({});
      expect(answers.get(3)!.error).toMatchObject({ code: -32601 });
      expect(answers.get(4)!.result!.tools!.map(({ name }) => name)).toEqual([PROFIT.name, 'divide']);
      for (const id of [5, 6, 7, 8]) expect(answers.get(id)!.error).toMatchObject({ code: -32602 });
      expect(answers.get(9)!.result).toEqual({ content: [{ type: 'text', text: '45' }] });
      expect(answers.get(11)!.result).toMatchObject({
        isError: true,
        content: [{ text: expect.stringContaining('limit is 262144') }],
      });
      // The cancelled one and those in a batch, which no revision of the protocol in use has, get none.
      expect([...answers.keys()].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 11]);
      expect(notes.filter((note) => note.startsWith('A line was left out'))).toHaveLength(5);
    },
  );

  test('lists a large library page by page, with names that every client takes', PATIENCE, async () => {
    const world = await embeddedRuntime({ dir });
    await publishTools(world.runtime, 'many', [
      ...hundredTools(),
      libraryTool('last_tool', 'Last.', 'x = 1'),
    ]);
    await world.close();
    const first = (await piped('many', [ask(1, 'tools/list')])).answers.get(1)!.result!;
    const second = (await piped('many', [ask(1, 'tools/list', { cursor: first.nextCursor })])).answers.get(
      1,
    )!.result!;
    const names = [...first.tools!, ...second.tools!].map(({ name }) => name);
    expect(names).toHaveLength(101);
    expect(new Set(names).size).toBe(101);
    for (const name of names) expect(name).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
    expect(second.nextCursor).toBeUndefined();
  });

  test('an unknown library ends it with a word on stderr and nothing on stdout', PATIENCE, async () => {
    const ran = await agentmill('mcp', '--library', 'nothing');
    expect(ran).toMatchObject({ code: 5, stdout: '' });
    expect(ran.stderr).toContain('The library "nothing"');
  });
});
