import type { Config } from '../../config.ts';
import { createLog } from '../../log.ts';
import { serveStdio } from '../../server/stdio/server.ts';

/**
 * `cairn` as the command of a client's configuration: serves MCP over standard input and output. Returns false when the
 * input ended before its first byte: there was no client.
 */
export async function runStdio(config: Config): Promise<boolean> {
  await serveStdio(config, createLog(config.logLevel));
  // A signal ends the serving too, but not the input.
  const { bytesRead, readableEnded } = process.stdin as typeof process.stdin & { bytesRead?: number };
  return !(readableEnded && bytesRead === 0);
}
