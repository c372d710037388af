import type { McpServer, ServerContext } from '@modelcontextprotocol/server';
import { serveStdio as serve } from '@modelcontextprotocol/server/stdio';
import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { newId } from '../../events/ids.ts';
import type { Local } from '../../local.ts';
import type { Log } from '../../log.ts';
import { onStopSignal } from '../../stop-signals.ts';
import { selectTools } from '../../tools/catalog.ts';
import { writeBriefs } from '../../tools/write-briefs.ts';
import { VERSION } from '../../version.ts';
import { agentName } from '../mcp/agent-name.ts';
import { clientName } from '../mcp/client-name.ts';
import { createMcpServer } from '../mcp/server.ts';
import type { ServerOptions } from '../mcp/server-options.ts';
import { listenFollower } from '../mcp/subscriptions.ts';
import { ProcessPresence } from '../presence.ts';
import { BackgroundJobs } from './background.ts';
import { StdioTransport } from './transport.ts';
import { warmUp } from './warm-up.ts';

const OPENS_AFTER_MS = 100;

/** Serves one client over standard input and output until it leaves or the process is told to stop. */
export async function serveStdio(config: Config, log: Log): Promise<void> {
  const tools = selectTools(config.toolsets, { readOnly: config.readOnly });
  const leaving = new AbortController();
  const local = new LazyDatabase({ config, log, leaving: leaving.signal });
  // A client asks for the tools first, and is answered sooner if nothing else runs; an earlier call opens the database
  // itself.
  const opening = setTimeout(() => local.open().catch(() => {}), OPENS_AFTER_MS);

  const contextOf = contexts({ config, log, local, leaving });
  const serverOptions: ServerOptions = { version: VERSION, tools, output: config.output, contextOf };
  let server: McpServer;
  const listening = listenFollower(
    () => contextOf(server),
    (uri) => void server.server.sendResourceUpdated({ uri }).catch(() => {}),
  );
  const transport = new StdioTransport({ input: process.stdin, output: process.stdout }, listening);
  const leave = () => {
    clearTimeout(opening);
    leaving.abort();
    transport.drain();
  };
  process.stdin.once('end', leave);
  const listenNoLonger = onStopSignal(leave);

  // A client that only asked for the protocol gets another server for the older one.
  const create = () => {
    server = createMcpServer(serverOptions);
    return server;
  };
  const connection = serve(create, { transport, onerror: (error) => log.warn({ err: error }, 'connection') });
  await transport.closed;
  listening.end();
  await connection.close();
  await local.close();
  listenNoLonger();
}

type Parts = { config: Config; log: Log; local: LazyDatabase; leaving: AbortController };

/** The database opened for this process, which reports its presence. */
type Present = Local & { process: string; presence: ProcessPresence; jobs: BackgroundJobs; warm: Promise<void> };

/** Makes contexts of the local user, as the configured agent or one derived from the client and this process. */
function contexts({ config, log, local, leaving }: Parts): ServerOptions['contextOf'] {
  return async (server: McpServer, request?: ServerContext): Promise<Context> => {
    const { db, blobs, actor: person, process, presence, jobs } = await local.open();
    const client = clientName(server, request);
    const agent = config.agent ?? agentName(client, config.clientSession ?? process.slice(-4));
    const actor = { ...person, agent, client, process };
    return {
      db,
      blobs,
      actor,
      acted(name) {
        jobs.called();
        presence.acted(actor, name);
      },
      scopes: 'all',
      log,
      project: config.project,
      signal: () => (request === undefined ? leaving.signal : AbortSignal.any([request.mcpReq.signal, leaving.signal])),
    };
  };
}

/** The database of this process. Opens once; after a failure the next call tries again. */
class LazyDatabase {
  readonly #parts: { config: Config; log: Log; leaving: AbortSignal };
  readonly #process = newId();
  #opened: Promise<Present> | undefined;

  constructor(parts: { config: Config; log: Log; leaving: AbortSignal }) {
    this.#parts = parts;
  }

  open(): Promise<Present> {
    this.#opened ??= this.#openNow().catch((error) => {
      this.#opened = undefined;
      this.#parts.log.error({ err: error }, 'the database does not open');
      throw error;
    });
    return this.#opened;
  }

  async close(): Promise<void> {
    const { config, log } = this.#parts;
    const local = await this.#opened?.catch(() => undefined);
    if (local === undefined) return;
    const { db, blobs, actor } = local;
    await Promise.all([local.presence.end(), local.jobs.stop(), local.warm]);
    await writeBriefs({ db, blobs, actor, log, project: config.project }, config);
    await local.close();
  }

  async #openNow(): Promise<Present> {
    const { config, log, leaving } = this.#parts;
    const process = this.#process;
    const { openLocal, purgeIdempotencyKeys } = await import('../../local.ts');
    const local = await openLocal(config, log);
    const { db, blobs, actor, isDirect } = local;
    const presence = new ProcessPresence({ db, log, actor: { ...actor, process }, watched: isDirect });
    await presence.start();
    purgeIdempotencyKeys(local, log);
    const jobs = new BackgroundJobs({ config, local, log });
    jobs.start();
    const warm = warmUp(
      { db, blobs, log, actor: { ...actor, client: 'warm-up' }, scopes: 'all', project: config.project },
      leaving,
    );
    return { ...local, process, presence, jobs, warm };
  }
}
