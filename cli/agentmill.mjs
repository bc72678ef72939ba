#!/usr/bin/env node
// Starts the command under Node 24 even where the machine's own Node is older: the project brings its own.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const [major] = process.versions.node.split('.').map(Number);
const bundled = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));
const main = fileURLToPath(new URL('./main.ts', import.meta.url));

if (major >= 24) {
  await import('./main.ts');
} else if (existsSync(bundled)) {
  const child = spawn(bundled, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  // Ctrl-C reaches the child through the terminal's process group; the launcher only waits for it.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => {
    process.exitCode = signal ? 128 + constants.signals[signal] : code;
  });
} else {
  console.error(
    `agentmill needs Node 24; this is ${process.version} and node_modules/node is not installed. Run: npm ci`,
  );
  process.exitCode = 2;
}
