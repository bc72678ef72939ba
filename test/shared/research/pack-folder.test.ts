import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { packFolder, type Skipped } from '#shared/research/corpus/pack-folder.ts';

async function pack(path: string): Promise<{ rows: unknown[]; skipped: Skipped[] }> {
  const rows: unknown[] = [];
  const skipped: Skipped[] = [];
  for await (const row of packFolder(path, (one) => skipped.push(one))) rows.push(row);
  return { rows, skipped };
}

it('a folder becomes documents by path, in order, and says what it passed over', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'agentmill-pack-'));
  try {
    await mkdir(join(dir, 'lakes'));
    await mkdir(join(dir, '.git'));
    await writeFile(join(dir, '.git', 'a.md'), 'hidden');
    await writeFile(join(dir, 'lakes', 'orrin.md'), '\ufeff# Orrin');
    await writeFile(join(dir, 'lakes', 'b.json'), '{"depth": 4}');
    await writeFile(join(dir, 'a.TXT'), 'A');
    await writeFile(join(dir, 'c.html'), '<p>C');
    await writeFile(join(dir, 'd.jsonl'), '{"id":"d1","text":"x"}\n\n{oops\n');
    await writeFile(join(dir, 'e.png'), 'x');
    await writeFile(join(dir, 'f.txt'), Buffer.from([0xff, 0xfe, 0xfd]));
    await writeFile(join(dir, 'g.json'), '{');
    await symlink('/etc/hostname', join(dir, 'h.txt'));
    expect(await pack(dir)).toEqual({
      rows: [
        { id: 'a.TXT', text: 'A' },
        { id: 'c.html', html: '<p>C' },
        { id: 'd1', text: 'x' },
        { id: 'lakes/b.json', json: { depth: 4 } },
        { id: 'lakes/orrin.md', markdown: '# Orrin' },
      ],
      skipped: [
        { path: 'd.jsonl:3', reason: 'it is not JSON' },
        { path: 'e.png', reason: 'its type .png is not read' },
        { path: 'f.txt', reason: 'it is not UTF-8' },
        { path: 'g.json', reason: 'it is not JSON' },
      ],
    });
    expect((await pack(join(dir, 'c.html'))).rows).toEqual([{ id: 'c.html', html: '<p>C' }]);
    await expect(pack(join(dir, 'none'))).rejects.toThrow(/There is no file or folder/);
  } finally {
    await rm(dir, { recursive: true });
  }
});
