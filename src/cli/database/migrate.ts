import type { Config } from '../../config.ts';
import { openEngine } from '../../db/open.ts';
import { migrate } from '../../db/schema/migrate.ts';
import { upgradeEmbedded } from '../../db/schema/upgrade.ts';
import { createLog } from '../../log.ts';
import { type JsonOption, printResult } from '../terminal/output.ts';

/**
 * `cairn migrate`: brings the database to the schema of this program. Copies an embedded one first, unless `backup` is
 * false.
 */
export async function runMigrate(config: Config, options: JsonOption & { backup: boolean }): Promise<void> {
  const log = createLog(config.logLevel);
  const open = await openEngine(config, log);
  const isCopied = options.backup && config.databaseUrl === undefined;
  try {
    const client = await open.connect();
    try {
      const applied = isCopied ? await upgradeEmbedded(client, config.dataDir, log) : await migrate(client);
      printResult({ applied }, options, ({ applied }) =>
        applied.length === 0 ? ['The database is up to date.'] : applied.map((name) => `applied ${name}`),
      );
    } finally {
      await client.end();
    }
  } finally {
    await open.close();
  }
}
