import type { Config } from '../config.ts';
import { createLog } from '../log.ts';
import { serveStdio } from '../server/stdio.ts';

/** `cairn` as the command of a client's configuration: MCP over standard input and output. */
export async function runStdio(config: Config): Promise<void> {
  await serveStdio(config, createLog(config.logLevel));
}
