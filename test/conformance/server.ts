import { ownerAlone } from '../../src/auth/access.ts';
import { readConfig } from '../../src/config.ts';
import { openLocal } from '../../src/local.ts';
import { createLog } from '../../src/log.ts';
import { serveHttp } from '../../src/server/http/server.ts';
import { createFixtures } from './fixtures.ts';

type Server = { port: number; close(): Promise<void> };

/**
 * Serves the database in `dataDir` as `cairn serve` does, with the suite's fixtures beside the real tools and on the
 * same paths.
 */
export async function startServer(dataDir: string): Promise<Server> {
  const config = readConfig({ dataDir, port: '0', lingerSeconds: '0', logLevel: 'warn' }, {});
  const log = createLog(config.logLevel);
  const local = await openLocal(config, log);
  try {
    const server = await serveHttp({
      config,
      log,
      db: local.db,
      access: ownerAlone(local.actor),
      fixtures: createFixtures(),
    });
    return {
      port: server.address.port,
      async close() {
        await server.close();
        await local.close();
      },
    };
  } catch (error) {
    await local.close();
    throw error;
  }
}
