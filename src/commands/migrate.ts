import type { Config } from '../config.ts';
import { migrate } from '../db/migrate.ts';
import { openEngine } from '../db/open.ts';
import { createLog } from '../log.ts';

/** `cairn migrate`: brings the database to the schema of this program. */
export async function runMigrate(config: Config): Promise<void> {
  const open = await openEngine(config, createLog(config.logLevel));
  try {
    const client = await open.connect();
    try {
      const applied = await migrate(client);
      for (const name of applied) process.stdout.write(`applied ${name}\n`);
      process.stdout.write(applied.length === 0 ? 'The database is up to date.\n' : '');
    } finally {
      await client.end();
    }
  } finally {
    await open.close();
  }
}
