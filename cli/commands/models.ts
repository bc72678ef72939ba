import { listModels, probeModel, testModel } from '#shared/models/probe/index.ts';
import { withConnection, type CommandContext } from '../context.ts';
import { CliError, EXIT } from '../exit.ts';

type Report = { text: string; exitCode: number; data: unknown };

/** `agentmill models list|test|probe`: on the machine's own registry, through the platform's one model door. */
export async function modelsCommand(
  context: CommandContext,
  action: 'list' | 'test' | 'probe',
  name: string | undefined,
): Promise<number> {
  return withConnection(context, { work: false }, async (connection) => {
    if (!connection.platform) {
      throw new CliError(
        EXIT.usage,
        'models works on the embedded platform; stop `agentmill up` or give another --data-dir.',
      );
    }
    const { runtime } = connection.platform;
    const report: Report =
      action === 'list'
        ? await listModels(runtime)
        : action === 'test'
          ? await testModel(runtime, name!)
          : await probeModel(runtime, name!);
    if (context.output.json) context.output.result(report.data);
    else context.output.print(report.text);
    return report.exitCode;
  });
}
