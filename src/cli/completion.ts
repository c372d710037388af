import { Argument, type Command } from 'commander';
import { examples } from './command.ts';

const SHELLS = ['bash', 'zsh', 'fish', 'powershell'];

export function addCompletionCommands(program: Command): void {
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
    .action(async (shell: string) => (await import('../commands/completion.ts')).printCompletion(program, shell));
  program
    .command('complete [words...]', { hidden: true })
    .allowUnknownOption()
    .action(async (words: string[]) => (await import('../commands/completion.ts')).completeWords(program, words));
}
