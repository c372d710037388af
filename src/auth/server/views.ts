import type { Scope } from '../../context.ts';
import type { Client, Session, Workspace } from '../answers.ts';
import type { From } from '../store.ts';

/**
 * The views that the pages show and the forms they post: the boundary between the flows here and the HTML in src/web.
 * All text that a client or a person chose is untrusted and must be escaped; `client_name` has no control or
 * bidirectional characters.
 */

/** The browser's cookies: `__Host-` over https (RFC 6265bis, section 4.1.3.2), the bare name on loopback http. */
export const COOKIES = Object.freeze({ session: 'sid', txn: 'txn' } as const);

/** The paths of the pages; forms post to the same path unless stated otherwise. */
export const PATHS = Object.freeze({
  authorize: '/oauth/authorize',
  /** Shows ConsentView and takes its form, where `scope` repeats per ticked box; `?request=` names the request. */
  consent: '/oauth/consent',
  login: '/login',
  logout: '/logout',
  account: '/account',
  admin: '/admin',
} as const);

/** GET /oauth/consent, after login and bound to the browser that began the request and to its user. */
export type ConsentView = {
  /** The form sends it back unchanged. */
  request: string;
  csrf: string;
  client: {
    client_id: string;
    client_name: string;
    client_uri?: string | undefined;
    /**
     * `dcr`: self-registered, the name is not verified. `cimd`: the host of `client_id` vouches for it. `static`: added
     * by an admin.
     */
    identified: Client['kind'];
    /** The host that vouches for a `cimd` client. */
    host?: string | undefined;
  };
  redirect: {
    uri: string;
    /** Shown in bold: the host that will get the code. `cursor://anysphere.cursor-mcp` for a custom scheme. */
    shown: string;
    /** The source for `form-action` in the page's Content-Security-Policy. */
    form_action: string;
    /** A loopback or custom scheme address: any program on that device may receive the code. */
    local: boolean;
  };
  resource: string;
  /** In display order; a write box implies its read one. */
  scopes: { scope: Scope; description: string; checked: boolean }[];
  user: { name: string; email?: string | undefined };
  workspaces: Workspace[];
};

/** An authorization page that can neither go on nor redirect: unknown client, foreign redirect, or old request. */
export type ProblemView = { status: number; title: string; message: string; hint: string };

/** The proof that a browser's cookies give. */
export type BrowserSession = {
  /** Tells this browser from all others. */
  txn: string;
  /** Set-Cookie that keeps `txn`. */
  cookie: string;
  /** The token that a form of this browser and session must carry. */
  csrf: string;
  session: Session | undefined;
};
export type SignedInSession = BrowserSession & { session: Session };

/** The browser's side of the flows, its identity and its pages; src/web implements it. */
export type Browser = {
  session(request: Request, from: From): Promise<BrowserSession>;
  consent(view: ConsentView): Response;
  problem(view: ProblemView): Response;
};
