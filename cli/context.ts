import type { Command } from 'commander';
import type { Connection } from './connect.ts';
import { makeOutput, type Output } from './output.ts';
import { resolveSettings, type Settings } from './settings.ts';

/** What every command starts from: its settings and where it writes. */
export interface CommandContext {
  settings: Settings;
  output: Output;
  /** Aborts on the first Ctrl-C. */
  interrupted: AbortSignal;
}

/** Reads the global flags of the command line that `command` was found on. */
export function contextOf(command: Command, interrupted: AbortSignal): CommandContext {
  const flags = command.optsWithGlobals<Record<string, unknown>>();
  return {
    settings: resolveSettings(flags, process.env, process.cwd()),
    output: makeOutput({
      json: flags.json === true,
      quiet: flags.quiet === true,
      color: flags.color !== false && !process.env.NO_COLOR,
    }),
    interrupted,
  };
}

/** Runs `body` with a connection that is closed afterwards, however it ends. */
export async function withConnection<T>(
  context: CommandContext,
  options: { work: boolean },
  body: (connection: Connection) => Promise<T>,
): Promise<T> {
  // The platform is loaded only by commands that use it.
  const { connect } = await import('./connect.ts');
  const connection = await connect(context.settings, options);
  try {
    return await body(connection);
  } finally {
    await connection.close();
  }
}
