import type { AuthInfo, McpServer, ServerContext } from '@modelcontextprotocol/server';
import type { Principal } from '../../auth/access.ts';
import { blobStores } from '../../blobs/open.ts';
import { type Config, Output } from '../../config.ts';
import { type Context, mayUse } from '../../context.ts';
import type { Database } from '../../db/database.ts';
import type { Verdict } from '../../db/verdict.ts';
import { idOf } from '../../events/ids.ts';
import type { Log } from '../../log.ts';
import type { Tool } from '../../tools/tool.ts';
import { VERSION } from '../../version.ts';
import { agentName } from '../mcp/agent-name.ts';
import { clientName, nameOf } from '../mcp/client-name.ts';
import type { ServerOptions } from '../mcp/server-options.ts';
import { createPresences } from './presences.ts';

/** The caller of a request and the kind of answers it wants, as the SDK passes it on. */
export type Caller = { principal: Principal; verdict?: Verdict | undefined; log: Log; output: Output | undefined };

/** Returns the kind of answers in a client's address: `/mcp?output=json`. Null for an unknown kind. */
export function outputAskedIn(url: string): Output | undefined | null {
  const word = new URL(url).searchParams.get('output');
  if (word === null) return undefined;
  return Output.safeParse(word).data ?? null;
}

/** Passes on the caller without its token, which goes no further than here. */
export function authInfoOf(caller: Caller): AuthInfo {
  return { token: '', clientId: '', scopes: [], extra: caller };
}

export function callerOf(authInfo: AuthInfo | undefined): Caller | undefined {
  return authInfo?.extra as Caller | undefined;
}

type Parts = {
  config: Config;
  log: Log;
  db: Database;
  tools: readonly Tool[];
  fixtures: ServerOptions['fixtures'];
  observe: NonNullable<ServerOptions['observe']>;
  /** Aborts when the server stops: waiting calls end. */
  leaving: AbortSignal;
};

/**
 * Makes a principal's server options for a connection: a session, or else all requests of its grant. The agent's name
 * is the header Cairn-Agent, otherwise made from the client and the connection.
 */
export function createServerOptions({ config, log, db, observe, tools, fixtures, leaving }: Parts) {
  // A principal that may not administer sees no admin tools.
  const everyday = tools.filter(({ scope }) => scope !== 'admin');
  const presences = createPresences({ db, log });
  const blobs = blobStores(config);

  function serverOptionsOf(opened: Caller, connection: string): ServerOptions {
    const connected = opened.principal;
    // Requests without a session share it, and the name.
    const process = idOf(connection);
    const isSession = connection !== connected.id;

    async function contextOf(server: McpServer, request?: ServerContext): Promise<Context> {
      // Completions come without a request: they belong to the connected principal.
      const caller = callerOf(request?.http?.authInfo) ?? { ...opened, log };
      const client = clientName(server, request);
      const named = nameOf(request?.http?.req?.headers.get('cairn-agent') ?? '');
      const { id: grant, actor, scopes } = caller.principal;
      const gone = () => signalOf([request?.mcpReq.signal, request?.http?.req?.signal]);
      const agent = named || (config.agent ?? agentName(client, process));
      const acting = { ...actor, grant, gone, agent, client, process };
      const presence = await presences.find(process, { actor: acting, isSession });
      return {
        db,
        blobs,
        actor: acting,
        acted: (name) => presence.acted(acting, name),
        scopes,
        verdict: caller.verdict,
        log: caller.log,
        // A token limited to one project means that project.
        project: actor.project_id === undefined ? config.project : undefined,
        signal: () => signalOf([leaving, gone()]),
      };
    }
    const shown = mayUse(connected.scopes, 'admin') ? tools : everyday;
    return {
      version: VERSION,
      tools: shown,
      output: opened.output ?? config.output,
      contextOf,
      observe,
      fixtures,
    };
  }

  return {
    serverOptionsOf,
    leave: (session: string, how: { ended: boolean }) => presences.leave(idOf(session), how),
  };
}

/** Aborts as soon as one of the signals does. */
function signalOf(signals: (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined));
}
