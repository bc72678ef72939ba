import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDesk, type Desk, type Ran } from './cli-command.ts';

/** What scripts rely on: clean pipes, JSON, exit codes, and words for whoever typed something wrong. */

const RUN = ['run', 'dataset-synthesis', '--file', 'bridges.jsonl'];
const PATIENCE = { timeout: 120_000 };
// Everything but line ends and tabs.
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

let desk: Desk;
let ran: Ran;
let jobId: string;

beforeAll(async () => {
  desk = await openDesk(3);
  ran = await desk.run('data', RUN);
  jobId = /dataset-synthesis\.[a-z0-9]{20,}/.exec(ran.stdout)![0];
}, 120_000);
afterAll(() => desk?.close());

/** In a process that runs one after the other; what reads stdin has one of its own. */
const run = (args: readonly string[], dataDir = 'data', input?: string): Promise<Ran> =>
  input === undefined ? desk.call(dataDir, args) : desk.run(dataDir, args, input);

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  const { port } = server.address() as AddressInfo;
  await new Promise((settle) => server.close(settle));
  return port;
}

test('a run says what it does on stderr and what was made on stdout', () => {
  expect(ran.code).toBe(0);
  // Which stages are seen depends on how long each takes.
  expect(ran.stderr).toMatch(/\[\d\/4\] \w+ .*\/\d+ \w+ .* calls · \$0\.00 of .* · builtin/);
  expect(ran.stdout).toMatch(/^SUCCEEDED {2}dataset-synthesis\./);
  expect(ran.stdout).toMatch(/3 documents · .* accepted/);
  expect(ran.stdout).toContain('output/data/part-00000.jsonl');
  expect(ran.stdout).toMatch(/Cost \$0\.00 for \d+ model calls/);
});

test('[infra-api-cli 29] piped output has no control codes', PATIENCE, async () => {
  const commands = [
    ['jobs'],
    ['job', jobId],
    ['logs', jobId],
    ['logs', jobId, '--raw'],
    ['workflows', 'dataset-synthesis'],
    ['doctor'],
    ['run', '--help'],
  ];
  const all = [ran];
  for (const command of commands) all.push(await run(command));
  for (const { stdout, stderr } of all) {
    expect(stdout + stderr).not.toMatch(CONTROL);
    expect(stdout + stderr).not.toBe('');
  }
});

test('[infra-api-cli 29] --json is one document, or one a line; errors too', PATIENCE, async () => {
  const json = async (...args: string[]): Promise<unknown> => {
    const { stdout } = await run([...args, '--json']);
    expect(stdout.trim().split('\n')).toHaveLength(1);
    return JSON.parse(stdout);
  };
  expect(await json('job', jobId)).toMatchObject({ jobId, yields: { documents: 3 } });
  const files = (await json('outputs', jobId)) as { path: string; bytes: number; sha256: string }[];
  expect(files.length).toBeGreaterThan(3);
  for (const { path, bytes } of files) expect(await readFile(join(desk.dir, path))).toHaveLength(bytes);
  expect(await json('workflows', 'dataset-synthesis')).toMatchObject({ input: { type: 'object' } });
  expect(await json('models')).toMatchObject({ models: [{ name: 'builtin' }, { name: 'stub' }] });
  expect(await json('doctor')).toMatchObject({
    ok: true,
    settings: [{ name: 'dataDir', from: '--data-dir' }, {}, {}, {}, {}, {}],
  });
  expect(await json('job', 'nope')).toEqual({
    error: 'There is no job "nope".',
    details: [expect.any(String)],
  });
  expect(await json('run', '--nonsense')).toMatchObject({ error: "unknown option '--nonsense'" });

  // As a shell sees it: the process's own exit code and pipes.
  expect(await desk.run('data', ['job', 'nope', '--json'])).toMatchObject({
    code: 5,
    stdout: expect.stringMatching(/^\{"error":"There is no job [^\n]*\}\n$/),
  });
  const events = (await run(['logs', jobId, '--json'])).stdout.trim().split('\n');
  expect(events.map((line) => (JSON.parse(line) as { message: string }).message).at(-1)).toMatch(/SUCCEEDED/);
});

test(
  '[infra-api-cli 16] the same file with the same key is the same job; a changed file is a conflict',
  PATIENCE,
  async () => {
    const keyed = (...more: string[]) => run([...RUN, '--key', 'nightly', '--json', ...more]);
    const [first, again] = [await keyed(), await keyed()];
    expect([first.code, again.code]).toEqual([0, 0]);
    const { jobId: id, outputs } = JSON.parse(first.stdout) as { jobId: string; outputs: unknown };
    expect(JSON.parse(again.stdout)).toMatchObject({ jobId: id, outputs });
    const folder = join(desk.dir, 'changed');
    await mkdir(folder, { recursive: true });
    await writeFile(
      join(folder, 'bridges.jsonl'),
      (await readFile(join(desk.dir, 'bridges.jsonl'), 'utf8')) + '\n{}\n',
    );
    const changed = await run([
      'run',
      'dataset-synthesis',
      '--file',
      'changed/bridges.jsonl',
      '--key',
      'nightly',
      '--json',
    ]);
    expect(changed.code).toBe(1);
    expect(JSON.parse(changed.stdout)).toMatchObject({ error: expect.stringMatching(/key/i) });
  },
);

test('[infra-api-cli 29] --strict makes a job that ended with errors exit 1', PATIENCE, async () => {
  const good = await readFile(join(desk.dir, 'bridges.jsonl'), 'utf8');
  await writeFile(join(desk.dir, 'torn.jsonl'), `${good.trimEnd()}\n{"text": "torn\n`);
  const torn = [
    'run',
    'dataset-synthesis',
    '--file',
    'torn.jsonl',
    '--set',
    'tolerance.failedPercent=60',
    '--json',
  ];
  const lenient = await run(torn);
  expect(JSON.parse(lenient.stdout)).toMatchObject({ status: 'SUCCEEDED_WITH_ERRORS', documents: 3 });
  expect(lenient.code).toBe(0);
  expect((await run([...torn, '--strict'])).code).toBe(1);
});

describe('[infra-api-cli 29] exit codes', () => {
  test('0: the job succeeded; 1: it failed', PATIENCE, async () => {
    expect(ran.code).toBe(0);
    const failed = await run([
      'run',
      'dataset-synthesis',
      '--set',
      'sources.0.uri=ingest/dataset-synthesis/none.jsonl',
    ]);
    expect(failed).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^FAILED[\s\S]*\/sources\/0\/uri: There is no such object/),
    });
    expect(failed.stdout).toContain('agentmill resume');
  });

  test('3: the budget ran out; raised, the job is finished', PATIENCE, async () => {
    const poor = await run([...RUN, '--model', 'stub', '--budget', '0.0004', '--json']);
    expect(poor.code).toBe(3);
    const { jobId: id, costMicroUsd } = JSON.parse(poor.stdout) as { jobId: string; costMicroUsd: number };
    expect(costMicroUsd).toBeLessThanOrEqual(400);
    const rich = await run(['resume', id, '--budget', '1', '--json']);
    expect(rich.code).toBe(0);
    expect(JSON.parse(rich.stdout)).toMatchObject({ status: 'SUCCEEDED', documents: 3, accepted: 6 });
  });

  test('5: no such job; nothing matches', PATIENCE, async () => {
    for (const command of [['job'], ['logs', '--raw'], ['resume']]) {
      expect(await run([...command, 'dataset-synthesis.none'])).toMatchObject({
        code: 5,
        stdout: '',
        stderr: expect.stringContaining('There is no job "dataset-synthesis.none".'),
      });
    }
    const none = await run(['outputs', jobId, '--only', '*.csv']);
    expect(none).toMatchObject({ code: 5, stderr: expect.stringContaining('manifest.json') });
  });

  test(
    '6: nobody answers at the endpoint; 7: doctor finds a data directory below a file',
    PATIENCE,
    async () => {
      const endpoint = `http://127.0.0.1:${await closedPort()}`;
      const away = await run(['jobs', '--endpoint', endpoint]);
      expect(away).toMatchObject({
        code: 6,
        stderr: expect.stringContaining(`${endpoint} cannot be reached`),
      });
      const ill = await run(['doctor'], 'bridges.jsonl/data');
      expect(ill).toMatchObject({
        code: 7,
        stdout: expect.stringMatching(/FAIL +data directory .*bridges\.jsonl is a file/),
      });
    },
  );
  // 4 and 130 are in cli-interrupt.test.ts, where jobs are stopped.
});

describe('[infra-api-cli 29] exit code 2, and words for what is wrong', () => {
  test.each<[string, string[], RegExp, string?]>([
    ['no such command', ['rum'], /unknown command 'rum'/],
    ['no such workflow', ['run', 'nope'], /no workflow "nope"\.\n +Workflows: dataset-synthesis/],
    [
      'a missing file',
      ['run', 'dataset-synthesis', '--file', 'no.jsonl'],
      /--file no\.jsonl: there is no such file/,
    ],
    [
      'malformed JSON',
      ['run', 'dataset-synthesis', '--input', '-'],
      /--input -: stdin is not JSON/,
      '{"sources": [',
    ],
    [
      'no input',
      ['run', 'dataset-synthesis'],
      /#\/input\/sources: .*\n +Give a file with --file, .*\n +agentmill workflows dataset-synthesis shows examples/,
    ],
    [
      'an unknown field and model',
      [...RUN, '--set', 'persona.max=1', '--model', 'gpt-none'],
      /2 fields are not valid\.\n +#\/input\/persona: There is no such field.*\n +#\/model: There is no such model/,
    ],
    ['a bad status', ['jobs', '--status', 'done'], /#\/query\/status: .*SUCCEEDED/],
    ['--detach with nobody who stays', [...RUN, '--detach'], /start `agentmill up` first/],
  ])('%s', PATIENCE, async (_, args, words, input) => {
    const { code, stdout, stderr } = await run(args, 'wrong', input);
    expect(stderr).toMatch(words);
    expect(stderr).not.toMatch(/\n +at /);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('a data directory or port that cannot be used is named, without a stack', PATIENCE, async () => {
    const file = await run(['jobs'], 'bridges.jsonl/data');
    expect(file).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/bridges\.jsonl\/data: a part of its path is a file/),
    });
    const server = createServer();
    await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
    const { port } = server.address() as AddressInfo;
    const taken = await run(['up', '--port', String(port)], 'wrong');
    await new Promise((settle) => server.close(settle));
    expect(taken).toMatchObject({ code: 1, stderr: expect.stringMatching(`Port ${port} is taken`) });
    expect(file.stderr + taken.stderr).not.toMatch(/\n +at /);
  });
});

test('a store that fails under a job ends the command, which would wait for ever', PATIENCE, async () => {
  const pause = desk.pauseAfter(2);
  const running = desk.agentmill('broken', [...RUN, '--model', 'stub']);
  await pause.reached;
  const store = new DatabaseSync(join(desk.dir, 'broken', 'states.sqlite'));
  store.exec('DROP TABLE events');
  store.close();
  pause.release();
  const { code, stderr } = await running.done;
  expect(stderr).toContain('no such table');
  expect(code).toBe(1);
});

test(
  'while `up` serves, other processes attach, curl works, files may be dropped; Ctrl-C ends it',
  PATIENCE,
  async () => {
    const up = desk.agentmill('served', ['up', '--port', '0']);
    const [, url] = await up.printed(/is up at (http:\/\/127\.0\.0\.1:\d+)/);
    const second = await run(['up', '--port', '0'], 'served');
    expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining('already served') });

    const attached = await run(
      ['run', 'dataset-synthesis', '--input', '-', '--detach'],
      'served',
      JSON.stringify({ sources: [{ uri: 'bridges.jsonl' }], personas: { max: 1 } }),
    );
    expect(attached).toMatchObject({ code: 0, stderr: expect.stringContaining('(attached)') });
    const id = attached.stdout.trim();
    const watched = await run(['job', id, '--watch'], 'served');
    expect(watched).toMatchObject({ code: 0, stdout: expect.stringContaining(`SUCCEEDED  ${id}`) });
    const raw = await run(['logs', id, '--raw'], 'served');
    expect(
      raw.stdout
        .trim()
        .split('\n')
        .every((line) => line.includes(id)),
    ).toBe(true);
    expect((await run(['models'], 'served')).stdout).toContain('builtin');

    const health = await fetch(`${url}/v1/health`);
    expect(await health.json()).toMatchObject({ status: 'ok' });
    const folder = join(desk.dir, 'served/objects/agentmill-local/ingest/dataset-synthesis');
    await writeFile(join(folder, 'dropped.jsonl'), await readFile(join(desk.dir, 'bridges.jsonl')));
    const dropped = async (): Promise<string | undefined> => {
      const { items } = (await (await fetch(`${url}/v1/jobs`)).json()) as { items: { jobId: string }[] };
      return items.map((job) => job.jobId).find((other) => other !== id);
    };
    await expect.poll(dropped, { interval: 200 }).toBeDefined();
    expect((await run(['job', (await dropped())!, '--watch', '--quiet'], 'served')).code).toBe(0);

    up.kill('SIGINT');
    expect((await up.done).code).toBe(0);
  },
);

test('outputs --to downloads what --only names', PATIENCE, async () => {
  await mkdir(join(desk.dir, 'to'));
  const got = await run(['outputs', jobId, '--to', 'to', '--only', 'data/*.jsonl', '--json']);
  expect(got.code).toBe(0);
  const [path, ...others] = JSON.parse(got.stdout) as string[];
  expect([path, others]).toEqual([join(desk.dir, 'to/data/part-00000.jsonl'), []]);
  const original = join(desk.dir, `data/objects/agentmill-local/jobs/${jobId}/output/data/part-00000.jsonl`);
  expect(await readFile(path!)).toEqual(await readFile(original));
});
