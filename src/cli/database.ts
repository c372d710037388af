import type { Command } from 'commander';
import { command } from './command.ts';

export function addDatabaseCommands(program: Command): void {
  program
    .command('migrate')
    .description('bring the database to the schema of this program')
    .action(command(async (config) => (await import('../commands/migrate.ts')).runMigrate(config)));

  const db = program.command('db').description('look after the embedded database');
  db.command('status')
    .description('show whether it runs, and who is connected')
    .action(command(async (config) => (await import('../commands/db.ts')).runDbStatus(config)));
  db.command('stop')
    .description('stop it, whoever uses it')
    .action(command(async (config) => (await import('../commands/db.ts')).runDbStop(config)));
  db.command('backup <file>')
    .description('write everything in it to a file, as of one moment')
    .action(command(async (config, file: string) => (await import('../commands/db.ts')).runDbBackup(config, file)));
  db.command('restore <file>')
    .description('make the database of an empty data directory from a backup, and verify it')
    .option('--replace', 'put aside a database that is there')
    .action(
      command(async (config, file: string, options: { replace?: boolean }) =>
        (await import('../commands/db.ts')).runDbRestore(config, file, options),
      ),
    );
}
