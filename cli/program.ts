import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { contextOf, type CommandContext } from './context.ts';
import { CliError, EXIT } from './exit.ts';

const portNumber = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65535)
    throw new InvalidArgumentError('Give a port, 0 to 65535.');
  return value;
};

/** Loaded with the command that needs them: `states` and `--help` answer without loading the platform. */
const flows = () => import('./jobs-flow.ts');
const jobCommands = () => import('./commands/job-commands.ts');

const repeat = (value: string, before: string[] = []): string[] => [...before, value];

/** The whole command line. Actions resolve to exit codes, which `done` receives. */
export function buildProgram(interrupted: AbortSignal, done: (exitCode: number) => void): Command {
  const program = new Command('agentmill')
    .description(
      'Mills raw material into what agents are made of: datasets, tool libraries, rollouts, benchmarks.',
    )
    .version('0.1.0')
    .option('--json', 'print one JSON document instead of text')
    .option('--quiet', 'print no progress')
    .option('--no-color', 'print no colours')
    .option('--config <file>', 'settings file (default: the nearest agentmill.config.json)')
    .option('--data-dir <dir>', 'where the embedded platform keeps everything (default: .agentmill)')
    .option('--endpoint <url>', 'use a deployed platform instead of the embedded one')
    .option('--profile <name>', 'AWS profile that signs remote calls')
    .option('--region <name>', 'AWS region of the endpoint')
    .enablePositionalOptions()
    .showHelpAfterError('(agentmill --help lists the commands)')
    .exitOverride();

  /** Adds a command whose action is given its context. */
  const command = (
    spec: string,
    description: string,
    action: (context: CommandContext, ...rest: never[]) => number | Promise<number>,
  ): Command => {
    const added = program.command(spec).description(description).exitOverride();
    added.showHelpAfterError(`(agentmill ${added.name()} --help lists its options)`);
    // The global flags are understood behind the command's name too, where people type them.
    for (const option of program.options) if (option.long !== '--version') added.addOption(option);
    added.action(async (...args: unknown[]) => {
      const context = contextOf(added, interrupted);
      done(await action(context, ...(args.slice(0, -1) as never[])));
    });
    return added;
  };

  command('demo', 'run the main job of a workflow on its examples', async (context, options: never) =>
    (await import('./commands/demo.ts')).demo(context, options),
  )
    .option('--workflow <name>', 'which workflow', 'dataset-synthesis')
    .option('--strict', 'exit 1 when the job ends with errors');

  command('up', 'run the embedded platform and its HTTP API until Ctrl-C', async (context, options: never) =>
    (await import('./commands/up.ts')).up(context, options),
  )
    .option('--port <number>', 'port on loopback (default: 7777)', portNumber)
    .option('--host <address>', 'bind elsewhere than loopback; a token is then required');

  command(
    'run <workflow>',
    'start a job and follow it to its end',
    async (context, workflow: string, options: never) => (await flows()).runJob(context, workflow, options),
  )
    .option('--input <file>', "the job's input as JSON; - reads stdin")
    .option('--set <path=value>', 'set one field of the input; repeatable', repeat)
    .option('--file <path>', 'a local file to work on; repeatable', repeat)
    .option('--budget <usd>', 'most that models may cost, in US dollars')
    .option('--model <name>', 'default model of every role (agentmill models list)')
    .option('--key <text>', 'idempotency key: the same key starts the same job')
    .option('--detach', 'do not wait for the end')
    .option('--cancel-on-interrupt', 'Ctrl-C cancels the job')
    .option('--strict', 'exit 1 when the job ends with errors');

  command(
    'research <question>',
    'research one question and show the steps and the cited answer',
    async (context, question: string, options: never) =>
      (await import('./commands/research.ts')).research(context, question, options),
  )
    .option('--corpus <path>', 'JSON Lines of documents, or a folder of text, Markdown, HTML or JSON files')
    .option('--entity <noun>', 'what a document is about, such as country')
    .option('--index <kind>', 'auto (the default), lexical (at once) or hybrid (by meaning too)')
    .option('--report', 'write a report instead of a short answer')
    .option('--steps <number>', 'most steps (default: 100)')
    .option('--budget <usd>', 'most that models may cost, in US dollars')
    .option('--model <name>', 'the model that researches (agentmill models list)')
    .option('--cancel-on-interrupt', 'Ctrl-C cancels the research');

  command('jobs', 'list jobs, newest first', async (context, options: never) =>
    (await jobCommands()).listJobs(context, options),
  )
    .option('--workflow <name>')
    .option('--status <status>')
    .option('--limit <number>', 'how many (default: 25)');

  command('job <id>', 'show one job', async (context, id: string, options: never) =>
    (await jobCommands()).showJob(context, id, options),
  )
    .option('--watch', 'follow it to its end')
    .option('--strict', 'exit 1 when the job ends with errors');

  command('logs <id>', "show a job's events", async (context, id: string, options: never) =>
    (await jobCommands()).showLogs(context, id, options),
  )
    .option('--follow', 'until the job ends')
    .option('--raw', 'task logs instead of events');

  command('cancel <id>', 'stop a job; it can be resumed', async (context, id: string) =>
    (await jobCommands()).cancelJob(context, id),
  );

  command('resume <id>', 'go on with a stopped job', async (context, id: string, options: never) =>
    (await flows()).resumeJob(context, id, options),
  )
    .option('--budget <usd>', 'the new cap in US dollars')
    .option('--detach', 'do not wait for the end')
    .option('--strict', 'exit 1 when the job ends with errors');

  command(
    'outputs <id>',
    "list a job's files, or download them",
    async (context, id: string, options: never) => (await jobCommands()).jobOutputs(context, id, options),
  )
    .option('--to <dir>', 'download into this folder; every hash is verified')
    .option('--only <glob>', 'only files whose name matches, such as data/*.jsonl');

  command(
    'workflows [name]',
    'show the catalog, or one workflow',
    async (context, name: string, options: never) =>
      (await import('./commands/workflows.ts')).showWorkflows(context, name, options),
  ).option('--dot', 'print the state machine as a Graphviz graph');

  command(
    'libraries [action] [args...]',
    'tool libraries: list, show <id>, tools <id>, search <id> <text>, invoke <id> <tool>, alias <id> <name> <version>',
    async (context, action: string | undefined, rest: string[], options: never) =>
      (await import('./commands/libraries.ts')).librariesCommand(context, action, rest, options),
  )
    .option('--version <version>', 'a version or an alias (default: latest)')
    .option('--k <number>', 'search: how many tools, 1 to 20 (default: 5)')
    .option('--cluster <id>', 'search: only tools of this cluster')
    .option('--tag <tag>', 'search: only tools with this tag; repeatable', repeat)
    .option('--mode <mode>', 'search: hybrid, vector or keyword (default: hybrid)')
    .option('--args <json>', 'invoke: the arguments as a JSON object')
    .option('--format <format>', 'tools: agentmill, openai or mcp (default: agentmill)')
    .option('--if <version>', 'alias: only if it points at this version now');

  command(
    'mcp',
    'serve a tool library over the Model Context Protocol on stdin and stdout',
    async (context, options: never) => (await import('./commands/mcp.ts')).serveMcp(context, options),
  )
    .requiredOption('--library <id>', 'the library')
    .option('--version <version>', 'a version or an alias; settled when it starts (default: latest)');

  command(
    'models [action] [name]',
    'list models; test <name>; probe <name>',
    async (context, action: string, name: string) => {
      const verb = action ?? 'list';
      if (verb !== 'list' && verb !== 'test' && verb !== 'probe') {
        throw new CliError(EXIT.usage, `models ${verb}: use list, test <name> or probe <name>.`);
      }
      if (verb !== 'list' && !name)
        throw new CliError(EXIT.usage, `models ${verb} needs the name of a model.`);
      return (await import('./commands/models.ts')).modelsCommand(context, verb, name);
    },
  );

  command(
    'doctor',
    'check this machine and show where each setting comes from',
    async (context, options: never) => (await import('./commands/doctor.ts')).doctor(context, options),
  ).option('--network', 'reach the endpoint too');

  command(
    'completion <shell>',
    'print a completion script for bash, zsh or fish',
    async (_context, shell: string) => (await import('./commands/completion.ts')).completion(program, shell),
  );

  // `states run|validate` has an interface of its own that other programs depend on: its arguments pass through.
  program
    .command('states')
    .description('run or validate any JSONata state machine: states run --definition F, states validate F')
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption(false)
    .argument('[args...]')
    .action(async (args: string[]) => {
      const { statesCommand } = await import('#local/states/command.ts');
      done(
        await statesCommand(args, {
          stdin: process.stdin,
          stdout: process.stdout,
          stderr: process.stderr,
          signal: interrupted,
        }),
      );
    });

  return program;
}

/** Runs the command line and gives its exit code; prints what went wrong. */
export async function runProgram(argv: string[], interrupted: AbortSignal): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = buildProgram(interrupted, (code) => (exitCode = code));
  const json = argv.includes('--json');
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    if (interrupted.aborted) return EXIT.interrupted;
    const message = (error as Error).message.replace(/^error: /, '');
    const details = error instanceof CliError ? error.details : [];
    // `--json` promises JSON on stdout whatever happens; people read stderr.
    if (json) process.stdout.write(`${JSON.stringify({ error: message, details })}\n`);
    if (error instanceof CommanderError) return EXIT.usage;
    if (error instanceof CliError) {
      process.stderr.write(
        `agentmill: ${error.message}\n${error.details.map((line) => `  ${line}\n`).join('')}`,
      );
      return error.exitCode;
    }
    // A file that cannot be read or written says so itself; a stack would only hide it.
    const shown = isSystemError(error) ? error.message : ((error as Error).stack ?? String(error));
    process.stderr.write(`agentmill: ${shown}\n`);
    return EXIT.failed;
  }
}

/** Of the operating system: `ENOTDIR: not a directory, mkdir '/x/y'`. */
const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error && 'code' in error;
