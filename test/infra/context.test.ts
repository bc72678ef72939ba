import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readContext } from '#infra/context.ts';

const DOCS = join(import.meta.dirname, '../../docs');

describe('the context as the command line gives it', () => {
  test('`-c agentmill=…` arrives as text, and is read like the object of cdk.json', () => {
    const object = {
      stage: 'prod',
      auth: { type: 'jwt', issuer: 'https://id.example.com', audiences: ['a'] },
    };
    expect(readContext(JSON.stringify(object))).toEqual(readContext(object));
  });

  test.each([
    ['{"stage":', /is no JSON .*: give it as -c agentmill='/],
    ['prod', /is no JSON/],
    ['', /is no JSON/],
    ['"prod"', /expected object/],
    ['{"stag":"prod"}', /stag/],
  ])('%j is refused', (text, message) => {
    expect(() => readContext(text)).toThrow(message);
  });

  test('every context that the deployment page shows on a command line is usable', () => {
    const shown = [...readFileSync(join(DOCS, 'deploy.md'), 'utf8').matchAll(/-c agentmill='(\{[^']+\})'/g)];
    expect(shown.length).toBeGreaterThan(0);
    for (const [, text] of shown) expect(readContext(text).stage).toBe('prod');
  });
});
