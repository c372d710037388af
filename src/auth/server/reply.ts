import type { Handler, MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import type { RouteEnv } from '../access.ts';
import type { From } from '../store.ts';

/** Errors of RFC 6749 (section 5.2), RFC 7591 (section 3.2.2) and RFC 8707 (section 2). */
type ErrorName =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_scope'
  | 'invalid_target'
  | 'unsupported_grant_type'
  | 'invalid_redirect_uri'
  | 'invalid_client_metadata'
  | 'slow_down'
  | 'temporarily_unavailable';

/** Ends a request at a program's endpoint. */
export class OAuthRefusal extends Error {
  readonly error: ErrorName;
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(
    error: ErrorName,
    message: string,
    { status = 400, headers = {} }: { status?: number; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.error = error;
    this.status = status;
    this.headers = headers;
  }
}

// Programs in a browser, like the Inspector, call these endpoints, which use no cookie that they could abuse.
const CROSS_ORIGIN = cors({
  origin: '*',
  allowMethods: ['GET', 'POST'],
  allowHeaders: ['authorization', 'content-type', 'mcp-protocol-version'],
  maxAge: 600,
});

export function jsonReply(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { 'cache-control': 'no-store', ...headers } });
}

/** Refuses in the words of RFC 6749; passes on any other error. */
export function refuse(error: Error): Response {
  if (!(error instanceof OAuthRefusal)) throw error;
  return jsonReply({ error: error.error, error_description: error.message }, error.status, error.headers);
}

type Methods = Readonly<Record<string, (request: Request, from: From) => Promise<Response>>>;

/** Serves a path by these methods alone: Hono would answer HEAD by running GET. */
export function only(methods: Methods, others: readonly string[] = []): Handler<RouteEnv> {
  const allow = [...Object.keys(methods), ...others].join(', ');
  return ({ req: { raw }, env: { address } }) =>
    methods[raw.method]?.(raw, { ip: address }) ?? new Response(null, { status: 405, headers: { allow } });
}

/** Serves a path to programs, with preflight. */
export function endpoint(methods: Methods): [MiddlewareHandler, Handler<RouteEnv>] {
  return [CROSS_ORIGIN, only(methods, ['OPTIONS'])];
}

/**
 * Reads the parameters of a form or query. Refuses a repeated one (RFC 6749, section 3.1); treats an empty one as
 * absent.
 */
export function parameters(given: URLSearchParams): Record<string, string | undefined> {
  const names = [...given.keys()];
  if (new Set(names).size !== names.length) throw new OAuthRefusal('invalid_request', 'A parameter is there twice.');
  return Object.fromEntries([...given].filter(([, value]) => value !== ''));
}

export async function formParameters(request: Request): Promise<Record<string, string | undefined>> {
  if (!/^application\/x-www-form-urlencoded\b/i.test(request.headers.get('content-type') ?? '')) {
    throw new OAuthRefusal('invalid_request', 'The body must be application/x-www-form-urlencoded.');
  }
  return parameters(new URLSearchParams(await request.text()));
}
