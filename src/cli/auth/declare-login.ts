import type { Command } from 'commander';
import { command, examples, JSON_OPTION } from '../command.ts';
import type { JsonOption } from '../terminal/output.ts';
import type { LoginOptions } from './login.ts';

export function addLoginCommands(program: Command): void {
  program
    .command('login')
    .description('sign in to the Supabase project, in the browser or with a code sent by e-mail')
    .option('--email <address>', 'send a one-time code to this address')
    .option('--provider <name>', 'sign in through github, google or another provider that the project allows')
    .option('--no-browser', 'print the address instead of opening it')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn login --email ada@example.com', 'cairn login --provider github'))
    .action(command(async (config, options: LoginOptions) => (await import('./login.ts')).runLogin(config, options)));
  program
    .command('logout')
    .description('end the session with the Supabase project')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn logout'))
    .action(command(async (config, options: JsonOption) => (await import('./login.ts')).runLogout(config, options)));
}
