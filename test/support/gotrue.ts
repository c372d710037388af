import { createHash, randomBytes, randomInt, randomUUID } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import type { Reply } from './reply.ts';

export type Claims = JWTPayload & { role?: string; email?: string };

type Granted = {
  access_token: string;
  refresh_token: string;
  expires_in: number;
  user: { id: string; email: string };
};

type AuthRequest = {
  method: string;
  path: string;
  searchParams: URLSearchParams;
  body: string;
  bearer: string | undefined;
};

/** The sign-in part of Supabase's Auth server: one-time codes, PKCE, refresh tokens that rotate, sign-out, JWKS. */
export type AuthServer = {
  handle(request: AuthRequest): Promise<Reply>;
  verify(token: string): Promise<Claims>;
  /** A session without the ceremony. */
  signIn(email: string): Promise<Granted>;
  /** The codes that were sent, the latest last. */
  mailbox: { email: string; code: string }[];
  /** Counts the sessions that have not ended. */
  sessions(): number;
  /** Overrides claims of the next access token. */
  bendNext(claims: Record<string, unknown>): void;
  /** The lifetime of the next access token; below zero it has already expired. */
  issueNextFor(seconds: number): void;
};

const LIFETIME_SECONDS = 3_600;

type Family = { email: string; active: string; parent: string | null; revoked: boolean };

// https://supabase.com/docs/guides/auth/sessions: with the parent of the active token one gets the active one again, so
// that a lost answer signs nobody out.
export async function createAuthServer(issuer: string): Promise<AuthServer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const users = new Map<string, string>();
  const mailbox: { email: string; code: string }[] = [];
  const codes = new Map<string, string>();
  const flows = new Map<string, { challenge: string; email: string }>();
  const families = new Map<string, Family>();
  let lifetimes: number[] = [];
  let bent: Record<string, unknown> = {};

  async function grant(email: string, session: string = randomUUID()): Promise<Granted> {
    const id = users.get(email) ?? randomUUID();
    users.set(email, id);
    const lifetime = lifetimes.shift() ?? LIFETIME_SECONDS;
    const claims = { email, phone: '', role: 'authenticated', aal: 'aal1', session_id: session, is_anonymous: false };
    const now = Math.floor(Date.now() / 1_000);
    const registered = { sub: id, iss: issuer, aud: 'authenticated', jti: randomUUID(), iat: now, exp: now + lifetime };
    const access_token = await new SignJWT({ ...claims, ...registered, ...bent })
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT' })
      .sign(privateKey);
    bent = {};
    const refresh_token = randomBytes(9).toString('base64url');
    const before = families.get(session);
    families.set(session, { email, active: refresh_token, parent: before?.active ?? null, revoked: false });
    return { access_token, refresh_token, expires_in: Math.abs(lifetime), user: { id, email } };
  }

  async function refresh(token: string): Promise<Reply> {
    for (const [session, family] of families) {
      if (family.revoked || (family.active !== token && family.parent !== token)) continue;
      const granted = await grant(family.email, session);
      if (family.parent === token) {
        families.set(session, family);
        granted.refresh_token = family.active;
      }
      return { status: 200, body: answered(granted) };
    }
    return refusal(400, 'refresh_token_not_found', 'Invalid Refresh Token: Refresh Token Not Found');
  }

  async function verify(token: string): Promise<Claims> {
    const { payload } = await jwtVerify<Claims>(token, publicKey, { issuer, audience: 'authenticated' });
    return payload;
  }

  function exchange({ auth_code, code_verifier }: Record<string, string>): Promise<Granted> | null {
    const flow = flows.get(auth_code ?? '');
    flows.delete(auth_code ?? '');
    const challenge = createHash('sha256')
      .update(code_verifier ?? '')
      .digest('base64url');
    return flow?.challenge === challenge ? grant(flow.email) : null;
  }

  function authorize(searchParams: URLSearchParams): Reply {
    const target = new URL(searchParams.get('redirect_to') ?? '');
    // The person at the provider: one of the name `denied` does not want to.
    if (searchParams.get('provider') === 'denied') {
      target.searchParams.set('error', 'access_denied');
      target.searchParams.set('error_description', 'The user denied the request');
    } else {
      const code = randomUUID();
      flows.set(code, { challenge: searchParams.get('code_challenge') ?? '', email: 'ada@github.test' });
      target.searchParams.set('code', code);
    }
    return { status: 302, headers: { location: target.href } };
  }

  async function handle({ method, path, searchParams, body, bearer }: AuthRequest): Promise<Reply> {
    const given = body === '' ? {} : (JSON.parse(body) as Record<string, string>);
    switch (`${method} ${path}`) {
      case 'GET /authorize':
        return authorize(searchParams);
      case 'GET /.well-known/jwks.json':
        return { status: 200, body: { keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256', use: 'sig' }] } };
      case 'POST /otp': {
        // An address that begins like this has no account and is not to get one (create_user: false).
        if (given['email']?.startsWith('unknown@')) {
          return refusal(422, 'otp_disabled', 'Signups not allowed for otp');
        }
        const code = String(randomInt(1e5, 1e6));
        mailbox.push({ email: given['email'] ?? '', code });
        codes.set(given['email'] ?? '', code);
        return { status: 200, body: {} };
      }
      case 'POST /verify': {
        const email = given['email'] ?? '';
        if (codes.get(email) !== given['token'] || given['type'] !== 'email') {
          return refusal(403, 'otp_expired', 'Token has expired or is invalid');
        }
        codes.delete(email);
        return { status: 200, body: answered(await grant(email)) };
      }
      case 'POST /token': {
        if (searchParams.get('grant_type') === 'refresh_token') return refresh(given['refresh_token'] ?? '');
        const granted = await exchange(given);
        if (granted !== null) return { status: 200, body: answered(granted) };
        return refusal(400, 'bad_code_verifier', 'code challenge does not match previously saved code verifier');
      }
      case 'POST /logout': {
        const { session_id } = await verify(bearer ?? '');
        const family = families.get(String(session_id));
        if (family !== undefined) family.revoked = true;
        return { status: 204 };
      }
      default:
        return { status: 404, body: { message: 'Not Found' } };
    }
  }

  return {
    handle: (request) => handle(request).catch((error) => refusal(403, 'bad_jwt', String(error))),
    verify,
    signIn: grant,
    mailbox,
    sessions: () => [...families.values()].filter(({ revoked }) => !revoked).length,
    bendNext(claims) {
      bent = claims;
    },
    issueNextFor(seconds) {
      lifetimes = [seconds];
    },
  };
}

function answered(granted: Granted): object {
  return { ...granted, token_type: 'bearer', expires_at: Math.floor(Date.now() / 1_000) + granted.expires_in };
}

function refusal(status: number, error_code: string, msg: string): Reply {
  return { status, body: { code: status, error_code, msg } };
}
