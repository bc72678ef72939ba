import { once } from 'node:events';
import { dataDirOf, directoryFault, openLocal, runningOwner } from '../connect.ts';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';

/** `agentmill up`: the whole platform and its API on loopback until Ctrl-C. */
export async function up(context: CommandContext, options: { host?: string }): Promise<number> {
  const dataDir = dataDirOf(context.settings);
  const owner = await runningOwner(dataDir);
  if (owner)
    throw new CliError(EXIT.failed, `${dataDir} is already served by process ${owner.pid} at ${owner.url}.`);
  const platform = await openLocal({
    dataDir,
    paused: false,
    listen: { port: context.settings.port.value ?? 7777, ...(options.host ? { host: options.host } : {}) },
  });
  const { output } = context;
  if (output.json) output.result({ url: platform.url, dataDir, bucket: platform.bucket, pid: process.pid });
  output.print(`agentmill is up at ${platform.url}  (data in ${dataDir})`);
  if (platform.token) output.print(`Authorization: Bearer ${platform.token}`);
  for (const entry of platform.catalog) {
    if (entry.triggers.s3) {
      output.print(
        `  ${entry.name}: POST ${platform.url}/v1/jobs, or drop a file into ${platform.folder(entry.triggers.s3.prefix)}`,
      );
    }
  }
  const end = AbortSignal.any([context.interrupted, platform.failed]);
  if (!end.aborted) await once(end, 'abort');
  if (platform.failed.aborted) {
    await platform.close();
    const error: unknown = platform.failed.reason;
    throw directoryFault(error, dataDir, 'Make it usable and start again: jobs go on.') ?? error;
  }
  output.note('Stopping: running calls may finish; press Ctrl-C again to exit at once.');
  await platform.drain(10_000);
  await platform.close();
  return EXIT.ok;
}
