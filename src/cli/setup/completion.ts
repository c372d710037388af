import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';

const OWN_NAMES = ['completion', 'complete'];

/** `cairn completion SHELL`: prints the script by which a shell completes this program's words. */
export function printCompletion(program: Command, shell: string): void {
  completionOf(program).setup(program.name(), program.name(), shell);
}

/** `cairn complete -- WORDS`: answers that script as a person types. */
export function completeWords(program: Command, words: string[]): void {
  completionOf(program).parse(words);
}

/** Builds the completion. The library adds the two commands itself; ours, which load it on demand, make room. */
function completionOf(program: Command): ReturnType<typeof tab> {
  const commands = program.commands as Command[];
  commands.splice(0, commands.length, ...commands.filter((command) => !OWN_NAMES.includes(command.name())));
  return tab(program, { completionCommandName: 'completion' });
}
