import { once } from 'node:events';
import type { Access } from '../auth/access.ts';
import type { Config } from '../config.ts';
import { SCOPES } from '../context.ts';
import { DomainError } from '../errors.ts';
import { type Local, openLocal } from '../local.ts';
import { createLog } from '../log.ts';
import { type HttpServer, refuseOpenDoor, serveHttp } from '../server/http.ts';
import { paint, say } from './paint.ts';

/** `cairn serve`: MCP over HTTP until the process is told to stop. */
export async function runServe(config: Config): Promise<void> {
  refuseOpenDoor(config);
  if (config.auth) throw new DomainError('unavailable', 'This version has no authorization yet.', { retryable: false });
  const log = createLog(config.logLevel);
  const local = await openLocal(config, log, { connectionsMax: CONNECTIONS_MAX });
  try {
    const server = await serveHttp({ config, log, db: local.db, access: ownerAlone(local) });
    greet(server);
    await Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]);
    log.info('stopping');
    await server.close();
  } finally {
    await local.close();
  }
}

// What one process of PostgreSQL may be asked at once by one of ours.
const CONNECTIONS_MAX = 10;

/** Who reaches this machine's own address is its owner. */
function ownerAlone({ actor }: Local): Access {
  const scopes = new Set(SCOPES);
  return {
    authenticate: async () => ({ id: 'local', actor, scopes }),
    challenge: (needed) => new Response(`Needs ${needed.join(' ')}.\n`, { status: 403 }),
    routes: [],
  };
}

function greet({ address, publicUrl }: HttpServer): void {
  const { href } = new URL('/mcp', publicUrl);
  say(`${paint('bold', 'Cairn')} serves MCP at ${href}\n`);
  say(`${paint('bold', 'Claude Code')}, in your project:\n  claude mcp add --transport http cairn ${href}\n`);
  const json = JSON.stringify({ mcpServers: { cairn: { url: href } } }, null, 2);
  say(`${paint('bold', 'Cursor')}, in .cursor/mcp.json:\n${json}\n`);
  say(`Listening on ${address.host}, port ${address.port}. Stop it with Ctrl+C.`);
}
