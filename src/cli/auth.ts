import type { Command } from 'commander';
import { command, examples } from './command.ts';

export function addAuthCommands(program: Command): void {
  const auth = program.command('auth').description('look after who has access by URL');
  const owner = auth.command('owner').description('look after the built-in account');
  owner
    .command('set-password')
    .description('set its password, typed or from standard input; signs out every browser')
    .addHelpText('after', examples('cairn auth owner set-password'))
    .action(command(async (config) => (await import('../commands/owner.ts')).runSetPassword(config)));
  owner
    .command('login-link')
    .description('print a link by which its holder chooses the password, once and within 15 minutes')
    .addHelpText('after', examples('cairn auth owner login-link'))
    .action(command(async (config) => (await import('../commands/owner.ts')).runLoginLink(config)));
}
