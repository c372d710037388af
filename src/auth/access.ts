import { Hono } from 'hono';
import type { Scope, Scopes } from '../context.ts';
import type { Actor } from '../db/database.ts';

/** The caller of a request, as its credentials prove. */
export type Principal = {
  /** The id of the grant: a session answers only to the principal that opened it. */
  id: string;
  /**
   * The user, and the one workspace or project that the grant acts in; with a proof, the database still has to check
   * it.
   */
  actor: Pick<Actor, 'user_id' | 'tenant_id' | 'project_id' | 'drives' | 'proof' | 'ip'>;
  /** The current scopes, not those at the time of the grant. */
  scopes: Scopes;
};

/** The other end of a request: its address, seen past the proxies that the operator trusts. */
type Peer = { address: string };

/**
 * The HTTP server's view of authorization: how it authenticates requests, and the routes beside `/mcp`. Requests and
 * responses are web-standard; the server has checked the Host header, read the body within its limit, and catches
 * errors.
 */
export type Access = {
  /**
   * Called for a request to `/mcp` before any other answer. A Response refuses: 401 with its challenge (RFC 9728,
   * section 5.1).
   */
  authenticate(request: Request, peer: Peer): Promise<Principal | Response>;
  /**
   * Returns the cached principal of a request, without the scopes that depend on a role. Only for a call
   * whose actor carries the proof to the database, which then refuses the call itself; if the proof fails,
   * `authenticate` decides the answer.
   */
  cachedPrincipal?(request: Request, peer: Peer): Principal | undefined;
  /** Refuses an operation beyond the principal's scopes: 403 that names all it needs (RFC 6750, section 3.1). */
  challenge(needed: readonly Scope[]): Response;
  /** Routes for every other path. */
  routes: Hono<RouteEnv>;
};

export type RouteEnv = { Bindings: Peer };

/** Treats every caller that reaches this machine's own address as the owner. */
export function ownerAlone(actor: Principal['actor']): Access {
  return {
    authenticate: async (_, { address }) => ({ id: 'local', actor: { ...actor, ip: address }, scopes: 'all' }),
    challenge: (needed) => new Response(`Needs ${needed.join(' ')}.\n`, { status: 403 }),
    routes: new Hono(),
  };
}
