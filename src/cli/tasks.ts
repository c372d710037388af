import type { Command } from 'commander';
import { command } from './command.ts';

export function addTaskCommands(program: Command): void {
  program
    .command('approve <task>')
    .description('approve a task as a person, for a gate that asks for it')
    .option('--note <text>', 'what to say with it')
    .action(
      command(async (config, task: string, options: { note?: string }) =>
        (await import('../commands/approve.ts')).runApprove(config, task, options),
      ),
    );
  program
    .command('unblock <task>')
    .description('unblock a task as a person, also one that was given up as often as its project allows')
    .option('--reason <text>', 'what to say with it')
    .action(
      command(async (config, task: string, options: { reason?: string }) =>
        (await import('../commands/unblock.ts')).runUnblock(config, task, options),
      ),
    );
}
