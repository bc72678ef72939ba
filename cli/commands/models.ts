import { listModels, probeModel, testModel } from '#shared/models/probe/index.ts';
import { isError } from '#shared/task/errors.ts';
import { dataDirOf, openLocal } from '../connect.ts';
import type { CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';

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
          ? await testModel(runtime, name!, context.interrupted)
          : await probeModel(runtime, name!, context.interrupted);
    if (context.output.json) context.output.result(report.data);
    else context.output.print(report.text);
    // Codes of its own: 1 failed, 2 unreachable, 3 no such model (model-inference section 13).
    return report.exitCode;
  } catch (error) {
    // A fault of the models file, which the user can mend: its message says where.
    if (isError(error, 'InvalidInput')) throw new CliError(EXIT.failed, error.message);
    throw error;
  } finally {
    await platform.close();
  }
}
