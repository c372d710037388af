import type { Config } from '../config.ts';
import { migrate } from '../db/migrate.ts';
import { openEngine } from '../db/open.ts';
import { createLog } from '../log.ts';
import { answer, type JsonOption } from './paint.ts';

/** `cairn migrate`: brings the database to the schema of this program. */
export async function runMigrate(config: Config, options: JsonOption): Promise<void> {
  const open = await openEngine(config, createLog(config.logLevel));
  try {
    const client = await open.connect();
    try {
      answer({ applied: await migrate(client) }, options, ({ applied }) =>
        applied.length === 0 ? ['The database is up to date.'] : applied.map((name) => `applied ${name}`),
      );
    } finally {
      await client.end();
    }
  } finally {
    await open.close();
  }
}
