import { Argument, type Command } from 'commander';
import { examples } from './command.ts';
import { refuseUnknown } from './words.ts';

const SHELLS = ['bash', 'zsh', 'fish', 'powershell'];

/** Adds the commands that help to type the others. */
export function addHelpCommands(program: Command): void {
  program
    .command('help [words...]')
    .description('list the commands, or show the help of one')
    .addHelpText('after', examples('cairn help', 'cairn help add', 'cairn help project create'))
    .action((words: string[]) => commandNamed(program, words).help());
  program
    .command('completion')
    .description('print the completion script of a shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .addHelpText(
      'after',
      examples(
        'source <(cairn completion bash)',
        'source <(cairn completion zsh)',
        'cairn completion fish > ~/.config/fish/completions/cairn.fish',
        'cairn completion powershell | Out-String | Invoke-Expression',
      ),
    )
    .action(async (shell: string) => (await import('./setup/completion.ts')).printCompletion(program, shell));
  program
    .command('complete [words...]', { hidden: true })
    .allowUnknownOption()
    .action(async (words: string[]) => {
      // Shells' scripts ask with `complete -- WORDS`; a person who types it means a task.
      const { rawArgs } = program as unknown as { rawArgs: string[] };
      if (rawArgs[rawArgs.indexOf('complete') + 1] !== '--') refuseUnknown(program, 'complete');
      await (await import('./setup/completion.ts')).completeWords(program, words);
    });
}

function commandNamed(program: Command, words: readonly string[]): Command {
  return words.reduce((group, word) => {
    const visible = group.createHelp().visibleCommands(group);
    const found = visible.find((command) => command.name() === word || command.aliases().includes(word));
    return found ?? refuseUnknown(group, word);
  }, program);
}
