import { EventEmitter } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { endWithReader } from '#cli/closed-pipe.ts';
import { runProgram } from '#cli/program.ts';

describe('a reader that has seen enough', () => {
  test('ends the command as an interrupt would, without a word', () => {
    const stream = new EventEmitter();
    const exit = vi.fn();
    endWithReader(stream as never, exit);
    stream.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' }));
    expect(exit.mock.calls).toEqual([[130]]);
  });

  test('is told from a stream that fails', () => {
    const stream = new EventEmitter();
    const exit = vi.fn();
    endWithReader(stream as never, exit);
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    expect(() => stream.emit('error', full)).toThrow(full);
    expect(exit).not.toHaveBeenCalled();
  });
});

describe('what the operating system refuses', () => {
  let dir: string;
  let stderr: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'agentmill-cli-'));
    stderr = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      stderr += String(text);
      return true;
    });
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await rm(dir, { recursive: true, force: true });
  });
  const run = (...args: string[]): Promise<number> => runProgram(args, new AbortController().signal);

  test('is said in its own words, without a stack', async () => {
    const jobId = 'sample.abcdefghijklmnopqrstuvwxyz';
    const server = createServer((request, response) => {
      if (request.url === '/file') return response.end('x');
      const file = {
        key: `jobs/${jobId}/output/a.txt`,
        bytes: 1,
        url: '/file',
        expiresAt: '2026-01-01T00:00:00Z',
      };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ jobId, status: 'SUCCEEDED', complete: true, items: [file] }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const download = (to: string): Promise<number> => run('--endpoint', url, 'outputs', jobId, '--to', to);
      await writeFile(join(dir, 'file'), '');
      expect(await download(join(dir, 'file', 'below'))).toBe(2);
      expect(stderr).toMatch(/^agentmill: --to: ENOTDIR/);
      stderr = '';
      await mkdir(join(dir, 'a.txt.part'));
      expect(await download(dir)).toBe(1);
      expect(stderr).toMatch(/^agentmill: EISDIR/);
      expect(stderr).not.toMatch(/\n\s+at /);
      await rm(join(dir, 'a.txt.part'), { recursive: true });
      expect(await download(dir)).toBe(0);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test.each(['ftp://example.com', 'file:///tmp/x'])('no API has the address %s', async (endpoint) => {
    expect(await run('--endpoint', endpoint, 'jobs')).toBe(2);
    expect(stderr).toContain('give an https or http address');
  });
});
