import { listModels, probeModel, testModel } from '#shared/models/probe/index.ts';
import { dataDirOf, openLocal } from '../connect.ts';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';

/** A report's 2 (unreachable) and 3 (no such model) mean other things to the command. */
const EXIT_OF: Record<number, number> = { 0: EXIT.ok, 1: EXIT.failed, 2: EXIT.unreachable, 3: EXIT.notFound };

type Report = { text: string; exitCode: number; data: unknown };

/** `agentmill models list|test|probe`: on the machine's own registry, through the platform's one model door. */
export async function modelsCommand(
  context: CommandContext,
  action: 'list' | 'test' | 'probe',
  name: string | undefined,
): Promise<number> {
  const { settings } = context;
  if (settings.endpoint.value) {
    throw new CliError(
      EXIT.usage,
      'models works on the registry of this machine; leave --endpoint out. A deployed platform has its own.',
    );
  }
  // Beside a running platform, with which it shares limits and records.
  const platform = await openLocal({ dataDir: dataDirOf(settings), paused: true });
  try {
    const { runtime } = platform;
    const report: Report =
      action === 'list'
        ? await listModels(runtime)
        : action === 'test'
          ? await testModel(runtime, name!)
          : await probeModel(runtime, name!);
    if (context.output.json) context.output.result(report.data);
    else context.output.print(report.text);
    return EXIT_OF[report.exitCode] ?? EXIT.failed;
  } finally {
    await platform.close();
  }
}
