import type { Config } from '../config.ts';
import { serverStatus, stopServer } from '../db/embedded.ts';

/** `cairn db status`: the embedded server of the data directory, as JSON. */
export async function runDbStatus(config: Config): Promise<void> {
  process.stdout.write(`${JSON.stringify(await serverStatus(config.dataDir), null, 2)}\n`);
}

/** `cairn db stop`: stops it, whoever uses it. */
export async function runDbStop(config: Config): Promise<void> {
  const { stopped } = await stopServer({ dataDir: config.dataDir });
  process.stdout.write(stopped ? 'Stopped.\n' : 'Not running.\n');
}
