import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import {
  type AuthInfo,
  isInitializeRequest,
  type McpServer,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import type { Log } from '../../log.ts';
import { refusal } from './reply.ts';
import type { Caller } from './server-options.ts';

type McpSession = {
  transport: WebStandardStreamableHTTPServerTransport;
  /** The principal that opened it; no other may use it. */
  owner: string;
  /** The number of its open requests and streams. */
  open: number;
  usedAt: number;
};

type SessionRequest = {
  caller: Caller;
  body: unknown;
  authInfo: AuthInfo;
  /** The kinds of answers that the client accepts. */
  accepted: string;
  /** Closes with the end of the answer. */
  answer: ServerResponse;
};

export type SessionLimits = { sessionsMax: number; idleMs: number };

/** Called for each ended session, with whether its client ended it. */
type Left = (session: string, how: { ended: boolean }) => Promise<void>;

type Parts = SessionLimits & { build: (caller: Caller, sessionId: string) => McpServer; log: Log; left: Left };

/**
 * The sessions of the 2025 protocols. Another principal's session looks like a missing one (an id is no credential); an
 * unused one is closed, and so is an idle one when a new one needs its place.
 */
export class McpSessions {
  readonly #parts: Parts;
  readonly #sessions = new Map<string, McpSession>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#sweeper = setInterval(() => this.#sweep(), Math.min(parts.idleMs, 60_000)).unref();
  }

  get count(): number {
    return this.#sessions.size;
  }

  async handle(request: Request, given: SessionRequest): Promise<Response> {
    const id = request.headers.get('mcp-session-id');
    if (id === null) {
      if (request.method === 'POST' && isInitializeRequest(given.body)) return this.#open(request, given);
      return refusal(400, 'Bad Request: Mcp-Session-Id header is required');
    }
    const session = this.#sessions.get(id);
    if (session?.owner !== given.caller.principal.id) return refusal(404, 'Session not found', { code: -32_001 });
    occupy(session, given);
    return session.transport.handleRequest(request, { authInfo: given.authInfo, parsedBody: given.body });
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    await Promise.all([...this.#sessions.values()].map(({ transport }) => transport.close()));
  }

  async #open(request: Request, given: SessionRequest): Promise<Response> {
    const { sessionsMax, build, log, left } = this.#parts;
    const sessions = this.#sessions;
    if (sessions.size >= sessionsMax) {
      const idle = idlest([...sessions.values()]);
      if (idle !== undefined) this.#drop(idle);
    }
    if (sessions.size >= sessionsMax) {
      return refusal(503, 'There is no room for another session.', { headers: { 'retry-after': '60' } });
    }
    const id = randomUUID();
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => id,
      enableJsonResponse: takesJsonAlone(given.accepted),
      onsessioninitialized() {
        sessions.set(id, { transport, owner: given.caller.principal.id, open: 0, usedAt: Date.now() });
      },
      onsessionclosed: () => left(id, { ended: true }),
    });
    transport.onclose = () => {
      sessions.delete(id);
      void left(id, { ended: false });
    };
    const server = build(given.caller, id);
    server.server.onerror = (error) => log.debug({ err: error }, 'session');
    await server.connect(transport);
    const response = await transport.handleRequest(request, { authInfo: given.authInfo, parsedBody: given.body });
    const session = sessions.get(id);
    if (session === undefined) await server.close();
    else occupy(session, given);
    return response;
  }

  #sweep(): void {
    const limit = Date.now() - this.#parts.idleMs;
    for (const session of this.#sessions.values()) {
      if (session.open === 0 && session.usedAt < limit) this.#drop(session);
    }
  }

  #drop({ transport }: McpSession): void {
    transport.close().catch((error) => this.#parts.log.debug({ err: error }, 'session does not close'));
  }
}

function occupy(session: McpSession, { answer }: SessionRequest): void {
  session.open += 1;
  answer.once('close', () => {
    session.open -= 1;
    session.usedAt = Date.now();
  });
}

/** Tells whether a client would not understand a stream. */
function takesJsonAlone(accepted: string): boolean {
  return accepted.includes('application/json') && !/text\/(event-stream|\*)|\*\/\*/.test(accepted);
}

/** Picks the session idle longest among the principals with the most sessions: so nobody can drive the others out. */
function idlest(sessions: readonly McpSession[]): McpSession | undefined {
  const counts = new Map<string, number>();
  for (const { owner } of sessions) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  const rank = ({ owner }: McpSession) => counts.get(owner) ?? 0;
  const idle = sessions.filter(({ open }) => open === 0);
  return idle.sort((a, b) => rank(b) - rank(a) || a.usedAt - b.usedAt)[0];
}
