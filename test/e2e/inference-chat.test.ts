import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { openBudget } from '#shared/models/budget.ts';
import { closeDoor } from '#shared/models/door.ts';
import { exportLedger, reconcile } from '#shared/models/ledger.ts';
import { closeProviders } from '#shared/models/providers/index.ts';
import type { InferRequest, InferResult } from '#shared/models/types.ts';
import { readJsonl, writeJsonl } from '#shared/storage/jsonl.ts';
import type { ArtifactRef } from '#shared/storage/ports.ts';
import { withRuntime } from '#shared/task/runtime.ts';
import { handler as infer } from '#functions/inference/infer.ts';
import { embeddedRuntime, type TestRuntime } from '#test/support/runtime.ts';

/** The infer task against an OpenAI-compatible server over HTTP. */

const JOB = 'test-workflow.aaaaaaaaaaaaaaaaaaaaaaaaaa';
const API_KEY = 'CANARY-KEY-7f3c90d1';
const OIDC_TOKEN = 'CANARY-OIDC-51aa.c2b7.9e04';
const PROMPT = 'CANARY-PROMPT';
const ANSWER = 'CANARY-ANSWER';

let open: { world: TestRuntime; close(): Promise<void> } | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

interface Seen {
  authorization: string;
  prompt: string;
}
type Reply = { status: number; body: string };
const chat = (content: string): Reply => ({
  status: 200,
  body: JSON.stringify({
    choices: [{ message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 100, completion_tokens: 50 },
  }),
});

async function start(answer: (seen: Seen) => Reply, env: Record<string, string> = {}) {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { messages } = JSON.parse(Buffer.concat(chunks).toString()) as {
        messages: { content: string }[];
      };
      const one = {
        authorization: request.headers.authorization ?? '',
        prompt: messages.map(({ content }) => content).join('\n'),
      };
      seen.push(one);
      const { status, body } = answer(one);
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-e2e-'));
  const models = join(dir, 'models.json');
  const tokenFile = join(dir, 'token');
  await writeFile(tokenFile, OIDC_TOKEN);
  const common = {
    provider: 'openai',
    codec: 'openai',
    contextTokens: 8192,
    maxOutputTokens: 200,
    price: [{ from: '2020-01-01', inputPerMTok: 1, outputPerMTok: 4 }],
    limits: { rpm: 6_000_000, tpm: 6_000_000_000, concurrency: 16 },
  };
  const keyed = { type: 'secret', secret: 'TEST_API_KEY' };
  const oidc = { type: 'oidc', audience: 'https://models.example.com' };
  await writeFile(
    models,
    JSON.stringify({
      models: [
        { ...common, name: 'plain', endpoint: { url, auth: { type: 'none' } } },
        { ...common, name: 'keyed', endpoint: { url, auth: keyed } },
        { ...common, name: 'oidc', endpoint: { url, auth: oidc } },
      ],
    }),
  );
  const world = await embeddedRuntime({
    env: {
      AGENTMILL_MODELS: models,
      TEST_API_KEY: API_KEY,
      AGENTMILL_OIDC_TOKEN_FILE: tokenFile,
      ...env,
    },
  });
  open = {
    world,
    async close() {
      await closeDoor(world.runtime);
      await closeProviders(world.runtime);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await world.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
  await openBudget(world.runtime, JOB, { microUsd: 100_000_000 });
  const run = async (requests: InferRequest[], name = '0') => {
    const ref = await writeJsonl(world.runtime.artifacts, `jobs/${JOB}/work/${name}.jsonl`, requests);
    const event = {
      jobId: JOB,
      workflow: 'test-workflow',
      stage: 'work',
      requests: ref,
      prefix: `jobs/${JOB}/work/${name}`,
      mode: 'sync',
      concurrency: 16,
    };
    const output = (await withRuntime(world.runtime, () => infer(event, {}))) as Record<string, unknown>;
    return { event, output };
  };
  return { world, seen, run };
}

const requestsOf = (count: number, model: string, text: string): InferRequest[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `r${n}`,
    role: { name: 'test/role', version: '1' },
    model,
    messages: [{ role: 'user', content: `${text} ${n}` }],
  }));

/** Every file below a directory that holds the text, databases and journals included. */
async function filesWith(dir: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    if ((await readFile(path)).includes(text)) found.push(path);
  }
  return found;
}

describe('the infer task and a chat server', () => {
  it('[model-inference 30] a batch of 1,000 requests passes references: no payload near 32 KiB, the output under 2 KiB', async () => {
    const { world, seen, run } = await start(({ prompt }) =>
      chat(`answer to ${prompt}: ${'word '.repeat(40)}`),
    );
    const { event, output } = await run(requestsOf(1000, 'plain', 'question'));
    expect(output).toMatchObject({ done: true, counts: { total: 1000, ok: 1000 }, costMicros: 300_000 });
    expect(Buffer.byteLength(JSON.stringify(event))).toBeLessThan(2048);
    expect(Buffer.byteLength(JSON.stringify(output))).toBeLessThan(2048);
    expect(seen).toHaveLength(1000);
    let line = 0;
    for await (const { value } of readJsonl(world.runtime.artifacts, output.results as ArtifactRef)) {
      expect((value as InferResult).id).toBe(`r${line++}`);
      expect((value as InferResult).text).toContain(`question ${line - 1}:`);
    }
    expect(line).toBe(1000);
    expect(await reconcile(world.runtime, JOB)).toMatchObject({ calls: 1000, microUsd: 300_000 });
  });

  it.each([
    ['an API key', 'keyed', API_KEY],
    ['an OIDC token', 'oidc', OIDC_TOKEN],
  ])(
    '[model-inference 29] %s reaches the server and nothing else, prompts and answers no log',
    async (_name, model, secret) => {
      // The server repeats what it was sent in its errors, as careless gateways do.
      const tries = new Map<string, number>();
      const { world, seen, run } = await start(({ authorization, prompt }) => {
        const nth = tries.get(prompt) ?? 0;
        tries.set(prompt, nth + 1);
        const error = (status: number): Reply => ({
          status,
          body: JSON.stringify({ error: { message: `${authorization} sent ${prompt}` } }),
        });
        if (prompt.endsWith('1')) return error(400);
        if (prompt.endsWith('2') && nth === 0) return error(500);
        if (prompt.endsWith('3') && nth === 0) return error(429);
        if (prompt.endsWith('4') && nth === 0) return { status: 200, body: `not JSON: ${authorization}` };
        return chat(`${ANSWER} ${prompt}`);
      });
      const { output } = await run(requestsOf(8, model, PROMPT));
      expect(output).toMatchObject({ counts: { total: 8, ok: 7, failed: 1 } });
      await reconcile(world.runtime, JOB);
      await exportLedger(world.runtime, JOB);
      await closeDoor(world.runtime);
      expect(seen.every(({ authorization }) => authorization === `Bearer ${secret}`)).toBe(true);

      const logs = JSON.stringify(world.logs);
      expect(logs).toContain('model call');
      expect(logs).not.toContain('CANARY');
      // Prompts are in the artifacts, where they belong; the secret is in no file of the data directory.
      expect((await filesWith(world.dir, PROMPT)).length).toBeGreaterThan(0);
      expect(await filesWith(world.dir, secret)).toEqual([]);
    },
  );

  it('[model-inference 29] logs that were asked to show prompts still show no secret and no address', async () => {
    const { world, run } = await start(
      ({ authorization, prompt }) =>
        prompt.includes('bad 0')
          ? { status: 400, body: JSON.stringify({ error: { message: `Authorization: ${authorization}` } }) }
          : chat(`${ANSWER} write to jane.doe@example.com`),
      { AGENTMILL_LOG_PROMPTS: '1' },
    );
    await run(requestsOf(1, 'keyed', `${PROMPT} bad`), 'bad');
    await run(requestsOf(1, 'keyed', `${PROMPT} good ${'long '.repeat(2000)}`), 'good');
    const logs = JSON.stringify(world.logs);
    expect(logs).toContain(PROMPT);
    expect(logs).toContain(ANSWER);
    expect(logs).not.toContain(API_KEY);
    expect(logs).not.toContain('jane.doe');
    for (const line of world.logs)
      for (const field of ['prompt', 'answer', 'error'])
        expect(Buffer.byteLength(String(line[field] ?? ''))).toBeLessThanOrEqual(2048);
  });
});
