import { readdirSync } from 'node:fs';

// `npm run bench -- <name> [arguments]`: each file beside this one is a benchmark that prints a table.
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== 'main.ts')
  .map((file) => file.slice(0, -3))
  .sort();
const [name, ...args] = process.argv.slice(2);

if (name === undefined || name === '--help' || !names.includes(name)) {
  if (name !== undefined && name !== '--help') console.error(`There is no benchmark "${name}".`);
  console.error(`Usage: npm run bench -- <name> [arguments]\nBenchmarks: ${names.join(', ')}`);
  process.exitCode = name === '--help' ? 0 : 2;
} else {
  const module = (await import(`./${name}.ts`)) as { default(args: string[]): Promise<void> };
  await module.default(args);
}
