import { SCOPES, type Scope } from '../context.ts';
import type { Actor } from '../db/database.ts';

/** Who makes a request, as what it carries proves. */
export type Principal = {
  /** Names the grant behind it: a session answers to the principal that opened it, and to no other. */
  id: string;
  /** The user, and the one workspace, or project, that the grant acts in; with a proof where whether it is good is still to be asked. */
  actor: Pick<Actor, 'user_id' | 'tenant_id' | 'project_id' | 'proof'>;
  /** As they are now, not as they were granted. */
  scopes: ReadonlySet<Scope>;
};

/** The other end of a request: its address, seen past the proxies that the operator trusts. */
export type Peer = { address: string };

/**
 * What the HTTP server asks about a request, and what it serves beside `/mcp`. Requests and responses are web-standard;
 * the server has checked the Host header, read the body within its limit, and catches what is thrown.
 */
export type Access = {
  /** Asked at a request to `/mcp`, before anything else is told. A Response refuses: 401 with its challenge (RFC 9728, section 5.1). */
  authenticate(request: Request, peer: Peer): Promise<Principal | Response>;
  /**
   * Who the request was found to act for a moment ago, without what hangs on a role. Only for a call whose actor carries the proof to
   * the database, which then refuses the call itself; where the proof did not hold, `authenticate` is asked before anything is told.
   */
  recall?(request: Request): Principal | undefined;
  /** Refuses an operation beyond the principal's scopes: 403 that names all it needs (RFC 6750, section 3.1). */
  challenge(needed: readonly Scope[]): Response;
  /** Asked in turn for every other path; the first Response is the answer. */
  routes: readonly Route[];
};

export type Route = (request: Request, peer: Peer) => Promise<Response | undefined>;

/** Who reaches this machine's own address is its owner. */
export function ownerAlone(actor: Principal['actor']): Access {
  const scopes = new Set(SCOPES);
  return {
    authenticate: async () => ({ id: 'local', actor, scopes }),
    challenge: (needed) => new Response(`Needs ${needed.join(' ')}.\n`, { status: 403 }),
    routes: [],
  };
}
