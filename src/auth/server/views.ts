import type { Scope } from '../../context.ts';
import type { Client, From, Session, Workspace } from '../store.ts';

/**
 * What the pages show and what they post: the seam between the flows here and the HTML in src/web. Every text of a view that
 * a client or a person chose is untrusted and is to be escaped; `client_name` has no control or bidirectional characters.
 */

/** Cookies of the browser: `__Host-` over https (RFC 6265bis, section 4.1.3.2), the bare name on loopback http. */
export const COOKIES = Object.freeze({ session: 'sid', txn: 'txn' } as const);

/** Where the pages live; the forms post to the same paths unless said otherwise. */
export const PATHS = Object.freeze({
  authorize: '/oauth/authorize',
  /** Shows ConsentView, takes its form, where `scope` repeats, one for each ticked box; `?request=` names the request. */
  consent: '/oauth/consent',
  login: '/login',
  logout: '/logout',
  account: '/account',
  admin: '/admin',
} as const);

/** GET /oauth/consent, after login and bound to the browser that began the request and to its user. */
export type ConsentView = {
  /** Goes back in the form as it is. */
  request: string;
  csrf: string;
  client: {
    client_id: string;
    client_name: string;
    client_uri?: string | undefined;
    /** `dcr`: self-registered, the name is not verified. `cimd`: the host of `client_id` vouches for it. `static`: added by an admin. */
    identified: Client['kind'];
    /** Of a `cimd` client, the host that vouches. */
    host?: string | undefined;
  };
  redirect: {
    uri: string;
    /** Shown in bold: where the code will be sent. `cursor://anysphere.cursor-mcp` for a custom scheme. */
    shown: string;
    /** The source for `form-action` in the page's Content-Security-Policy. */
    form_action: string;
    /** A loopback or custom scheme address: any program on that device may receive the code. */
    local: boolean;
  };
  resource: string;
  /** In the order to show; a write box implies its read one. */
  scopes: { scope: Scope; description: string; checked: boolean }[];
  user: { name: string; email?: string | undefined };
  workspaces: Workspace[];
};

/** An authorization page that cannot go on and may not redirect: an unknown client, a redirect that is not its own, an old request. */
export type ProblemView = { status: number; title: string; message: string; hint: string };

/** What the browser that sends a request proves by its cookies. */
export type BrowserSession = {
  /** Tells this browser from all others. */
  txn: string;
  /** Set-Cookie that keeps `txn`. */
  cookie: string;
  /** What a form of this browser and session must carry. */
  csrf: string;
  session: Session | undefined;
};
export type SignedInSession = BrowserSession & { session: Session };

/** The browser's side of the flows: who it is, and what it is shown; src/web brings it. */
export type Browser = {
  visit(request: Request, from: From): Promise<BrowserSession>;
  consent(view: ConsentView): Response;
  problem(view: ProblemView): Response;
};
