import type { Command } from 'commander';
import { CliError, EXIT } from '../exit.ts';

/** `agentmill completion bash|zsh|fish`: completes command names and long options. */
export function completion(program: Command, shell: string): number {
  const commands = program.commands.map((command) => command.name());
  const options = (name: string): string[] =>
    (program.commands.find((command) => command.name() === name)?.options ?? []).flatMap((o) =>
      o.long ? [o.long] : [],
    );
  const cases = commands.map((name) => `    ${name}) words="${options(name).join(' ')}" ;;`).join('\n');
  const bash = `_agentmill() {
  local words cur="\${COMP_WORDS[COMP_CWORD]}"
  case "\${COMP_WORDS[1]}" in
${cases}
    *) words="${commands.join(' ')}" ;;
  esac
  [ "$COMP_CWORD" -eq 1 ] && words="${commands.join(' ')}"
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _agentmill agentmill`;
  switch (shell) {
    case 'bash':
      process.stdout.write(`${bash}\n`);
      return EXIT.ok;
    case 'zsh':
      process.stdout.write(`autoload -U +X bashcompinit && bashcompinit\n${bash}\n`);
      return EXIT.ok;
    case 'fish':
      process.stdout.write(
        program.commands
          .flatMap((command) => [
            `complete -c agentmill -n __fish_use_subcommand -a ${command.name()} -d ${JSON.stringify(command.description())}`,
            ...options(command.name()).map(
              (option) =>
                `complete -c agentmill -n '__fish_seen_subcommand_from ${command.name()}' -l ${option.slice(2)}`,
            ),
          ])
          .join('\n') + '\n',
      );
      return EXIT.ok;
    default:
      throw new CliError(EXIT.usage, `completion ${shell}: use bash, zsh or fish.`);
  }
}
