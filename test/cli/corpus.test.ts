import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseEvents } from '#cli/commands/research.ts';
import { packFolder } from '#cli/corpus.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'agentmill-corpus-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('a folder becomes documents: paths are ids, files name themselves, other kinds are passed over', () => {
  mkdirSync(join(dir, 'lakes'));
  mkdirSync(join(dir, '.git'));
  writeFileSync(join(dir, 'lakes/orrin.md'), '# Lake Orrin\n\nDepth: 41 m\n');
  writeFileSync(join(dir, 'lakes/the-pell.txt'), 'A town.\n');
  writeFileSync(join(dir, 'maren.json'), '{"Size": "12 m"}');
  writeFileSync(join(dir, 'broken.json'), '{');
  writeFileSync(join(dir, 'page.html'), '<html><title>The\n Page</title></html>');
  writeFileSync(join(dir, 'more.jsonl'), '{"id":"a","text":"A."}\n\n{"id":"b","text":"B."}\n');
  writeFileSync(join(dir, 'photo.jpg'), 'x');
  writeFileSync(join(dir, '.git/config'), 'x');
  const { lines, passedOver } = packFolder(dir);
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { id: 'lakes/orrin.md', title: 'Lake Orrin', markdown: '# Lake Orrin\n\nDepth: 41 m\n' },
    { id: 'lakes/the-pell.txt', title: 'the pell', text: 'A town.\n' },
    { id: 'maren.json', title: 'maren', json: { Size: '12 m' } },
    { id: 'a', text: 'A.' },
    { id: 'b', text: 'B.' },
    { id: 'page.html', title: 'The Page', html: '<html><title>The\n Page</title></html>' },
  ]);
  expect(passedOver).toEqual(['broken.json', 'photo.jpg']);
  rmSync(join(dir, 'lakes'), { recursive: true });
  mkdirSync(join(dir, 'empty'));
  expect(() => packFolder(join(dir, 'empty'))).toThrow(/no text, Markdown/);
});

test('server-sent events are read by id, type and data; anything else is passed over', () => {
  const text =
    'retry: 1000\n\nid: r-1/0.0\nevent: run.started\ndata: {"a": "x: y"}\n\n: comment\n\nid: 2\n\n';
  expect(parseEvents(text)).toEqual([{ id: 'r-1/0.0', type: 'run.started', data: { a: 'x: y' } }]);
});
