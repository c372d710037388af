import { availableParallelism } from 'node:os';
import { type Access, ownerAlone } from '../../auth/access.ts';
import { createFirstLink, hasPassword } from '../../auth/login/owner.ts';
import { createExternalAuth } from '../../auth/resource/external.ts';
import { issuerKeys } from '../../auth/resource/issuer-keys.ts';
import { createAuth } from '../../auth/server/endpoints.ts';
import { authSettings, chosenSettings } from '../../auth/settings.ts';
import { authStore } from '../../auth/store.ts';
import { endpointConfig } from '../../clients/endpoint-config.ts';
import { type Config, publicUrlOf } from '../../config.ts';
import { type Local, openLocal, purgeIdempotencyKeys } from '../../local.ts';
import { createLog, type Log } from '../../log.ts';
import { type HttpServer, refuseUnprotectedHost, serveHttp } from '../../server/http/server.ts';
import { onStopSignal } from '../../stop-signals.ts';
import { SendOn } from '../../telemetry/send-on.ts';
import { writeBriefs } from '../../tools/write-briefs.ts';
import { createBrowser } from '../../web/browser.ts';
import { createCookies } from '../../web/cookies.ts';
import { createWebRoutes } from '../../web/routes.ts';
import { type Web, waysIn } from '../../web/web.ts';
import { countOverdue } from '../../workers/overdue.ts';
import type { Worker } from '../../workers/worker.ts';
import { mayRunJobs, openWorker } from '../jobs/open-worker.ts';
import { type JsonOption, printLine, styled } from '../terminal/output.ts';

export type ServeOptions = JsonOption & { worker: boolean };

// What waits to be sent on when the server ends.
const SEND_ON_MS_MAX = 3_000;

/** `cairn serve`: serves MCP over HTTP until the process is told to stop. */
export async function runServe(config: Config, { json, worker: hasWorker }: ServeOptions): Promise<void> {
  refuseUnprotectedHost(config);
  const log = createLog(config.logLevel);
  // A service manager waits for all processes it started: the database stops with its last server.
  const local = await openLocal({ ...config, lingerSeconds: 0 }, log, { connectionsMax: CONNECTIONS_MAX });
  purgeIdempotencyKeys(local, log);
  try {
    const access = config.auth ? authorized(config, local, log) : ownerAlone(local.actor);
    // An owner without authorization shares the connections with nobody.
    const limits = config.auth ? { callsMax: CONNECTIONS_MAX, grantMax: grantMax(config) } : {};
    const worker = hasWorker ? workerOf(config, local, log) : undefined;
    const jobs = { worker, countOverdue: () => countOverdue(local) };
    const sendOn = SendOn.from(config, log);
    const server = await serveHttp({ config, log, db: local.db, access, limits, jobs, sendOn });
    if (config.auth) await authStore(local.db).saveServedUrl(server.publicUrl.origin);
    if (json) printLine(JSON.stringify({ url: endpointOf(server), ...server.address }));
    else greet(server);
    if (config.auth && !json) await inviteOwner(config, local, server.publicUrl);
    worker?.start();
    await new Promise<void>((resolve) => onStopSignal(resolve));
    log.info('stopping');
    await Promise.all([server.close(), worker?.stop()]);
    await sendOn?.close(SEND_ON_MS_MAX);
  } finally {
    if (local.hasGrown()) await writeBriefs({ ...local, log, project: config.project }, config);
    await local.close();
  }
}

/** Makes the worker of this process, unless it may run no jobs. */
function workerOf(config: Config, local: Local, log: Log): Worker | undefined {
  if (!mayRunJobs(config)) {
    log.info('no jobs are run here: that needs SUPABASE_SECRET_KEY');
    return undefined;
  }
  return openWorker(config, { local, log });
}

// The most concurrent queries from one of our processes.
const CONNECTIONS_MAX = 10;

/** Returns the limit of concurrent calls per grant: for a database on this machine at most one per processor. */
function grantMax({ databaseUrl, supabaseUrl }: Config): number {
  return databaseUrl === undefined && supabaseUrl === undefined ? Math.max(2, availableParallelism()) : CONNECTIONS_MAX;
}

/** Requires a token of our own authorization server, or of the one that the operator configured. */
function authorized(config: Config, { db, blobs, actor }: Local, log: Log): Access {
  const publicUrl = publicUrlOf(config);
  const store = authStore(db);
  const cookies = createCookies(publicUrl);
  const settings = authSettings(publicUrl, chosenSettings(config));
  const { authIssuer: issuer, authIssuerPrivate: allowPrivate } = config;
  const makesTokens = issuer === undefined;
  const web: Web = { db, blobs, store, log, publicUrl, cookies, owner: actor, makesTokens, ...waysIn(config) };
  const access =
    issuer === undefined
      ? createAuth({ store, log, settings, browser: createBrowser(web) })
      : createExternalAuth({
          store,
          log,
          settings,
          issuer,
          keys: issuerKeys({ issuer, allowPrivate, fetchParts: { proxy: settings.proxy } }),
          signUp: web.signUp,
        });
  access.routes.route('/', createWebRoutes(web));
  return access;
}

/** Prints a link at the first run, when nobody can sign in: this terminal's user chooses the password. */
async function inviteOwner(config: Config, { db, actor }: Local, publicUrl: URL): Promise<void> {
  const store = authStore(db);
  const { supabase, oidc } = waysIn(config);
  if (supabase !== undefined || oidc.length > 0 || (await hasPassword(store, actor))) return;
  const link = await createFirstLink(store, actor, { host: config.host, publicUrl });
  printLine(
    link === undefined
      ? `\nNobody can sign in yet. Set the owner's password with: cairn auth owner set-password`
      : `\n${styled('bold', 'First')}, choose the owner's password. This link works once, for 15 minutes:\n  ${link.href}`,
  );
}

function endpointOf({ publicUrl }: HttpServer): string {
  return new URL('/mcp', publicUrl).href;
}

function greet(server: HttpServer): void {
  const href = endpointOf(server);
  printLine(`${styled('bold', 'Cairn')} serves MCP at ${href}\n`);
  printLine(`${styled('bold', 'Claude Code')}, in your project:\n  claude mcp add --transport http cairn ${href}\n`);
  printLine(`${styled('bold', 'Cursor')}, in .cursor/mcp.json:\n${endpointConfig(new URL(href))}\n`);
  const { host, port } = server.address;
  printLine(`Listening on ${host}, port ${port}. Stop it with Ctrl+C.`);
}
