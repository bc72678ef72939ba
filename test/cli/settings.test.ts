import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CliError, exitCodeOf } from '#cli/exit.ts';
import { dollars, duration, safeText, table } from '#cli/output.ts';
import { resolveSettings } from '#cli/settings.ts';

describe('settings', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'agentmill-settings-'));
    mkdirSync(join(dir, 'below/deeper'), { recursive: true });
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  const config = (value: unknown): void =>
    writeFileSync(join(dir, 'agentmill.config.json'), JSON.stringify(value));

  test('flags win over variables, those over the nearest file, that over defaults', () => {
    config({ dataDir: 'from-file', model: 'from-file', port: 1111 });
    const settings = resolveSettings(
      { dataDir: 'from-flag' },
      { AGENTMILL_MODEL: 'from-env' },
      join(dir, 'below/deeper'),
    );
    expect(settings.dataDir).toMatchObject({ value: 'from-flag', origin: 'flag' });
    expect(settings.model).toMatchObject({
      value: 'from-env',
      origin: 'environment',
      from: 'AGENTMILL_MODEL',
    });
    expect(settings.port).toMatchObject({ value: 1111, origin: 'config file' });
    expect(settings.endpoint).toMatchObject({ value: undefined, origin: 'default' });
    expect(settings.configPath).toBe(join(dir, 'agentmill.config.json'));
  });

  test('unknown keys, malformed files and malformed variables are refused by name', () => {
    config({ datadir: 'x' });
    expect(() => resolveSettings({}, {}, dir)).toThrowError(
      expect.objectContaining({ details: [expect.stringContaining('datadir')] }) as Error,
    );
    writeFileSync(join(dir, 'agentmill.config.json'), '{');
    expect(() => resolveSettings({}, {}, dir)).toThrow(CliError);
    rmSync(join(dir, 'agentmill.config.json'));
    expect(() => resolveSettings({}, { AGENTMILL_PORT: 'many' }, dir)).toThrow(/AGENTMILL_PORT/);
    expect(() => resolveSettings({ endpoint: 'nowhere' }, {}, dir)).toThrow(/--endpoint nowhere: /);
    expect(() => resolveSettings({ dataDir: '' }, {}, dir)).toThrow(/--data-dir/);
    expect(() => resolveSettings({ config: 'no.json' }, {}, dir)).toThrow(/--config/);
  });
});

describe('what people read', () => {
  test('control codes of documents never reach the terminal', () => {
    expect(safeText('a\u001b[31mred\u0007\u202eb\nc\td')).toBe('a\ufffd[31mred\ufffd\ufffdb\nc\td');
  });

  test('money, time and tables', () => {
    expect([dollars(0), dollars(1234), dollars(12_340_000)]).toEqual(['$0.00', '$0.0012', '$12.34']);
    expect([duration(12), duration(1500), duration(90_000)]).toEqual(['12 ms', '1.5 s', '1 min 30 s']);
    expect(
      table([
        ['a', 'b'],
        ['ccc', 'd'],
      ]),
    ).toBe('a    b\nccc  d');
  });

  test.each([
    ['SUCCEEDED', false, 0],
    ['SUCCEEDED_WITH_ERRORS', false, 0],
    ['SUCCEEDED_WITH_ERRORS', true, 1],
    ['FAILED', false, 1],
    ['BUDGET_EXHAUSTED', false, 3],
    ['CANCELLED', false, 4],
  ] as const)('%s (strict: %s) exits %i', (status, strict, code) => {
    expect(exitCodeOf(status, strict)).toBe(code);
  });
});
