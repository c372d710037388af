import type { Command } from 'commander';
import { command, examples, JSON_OPTION } from '../command.ts';
import type { JsonOption } from '../terminal/output.ts';

export function addDatabaseCommands(program: Command): void {
  program
    .command('migrate')
    .description('migrate the database to the schema of this program')
    .option('--no-backup', 'do not copy an embedded database before its tables change')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn migrate', 'cairn migrate --database-url postgres://owner@db/cairn'))
    .action(
      command(async (config, options: JsonOption & { backup: boolean }) =>
        (await import('./migrate.ts')).runMigrate(config, options),
      ),
    );

  const db = program.command('db').description('manage the embedded database');
  db.command('status')
    .description('show whether it runs and who is connected')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn db status', 'cairn db status --json'))
    .action(command(async (config, options: JsonOption) => (await import('./db.ts')).runDbStatus(config, options)));
  db.command('stop')
    .description('stop it, even while processes use it')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn db stop'))
    .action(command(async (config, options: JsonOption) => (await import('./db.ts')).runDbStop(config, options)));
  db.command('backup <file>')
    .description('write a consistent copy of all its data to a file')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn db backup cairn.backup'))
    .action(
      command(async (config, file: string, options: JsonOption) =>
        (await import('./db.ts')).runDbBackup(config, file, options),
      ),
    );
  db.command('restore <file>')
    .description('restore a backup into an empty data directory, and verify it')
    .option('--replace', 'move an existing database aside')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn db restore cairn.backup', 'cairn db restore cairn.backup --replace'))
    .action(
      command(async (config, file: string, options: JsonOption & { replace?: boolean }) =>
        (await import('./db.ts')).runDbRestore(config, file, options),
      ),
    );
}
