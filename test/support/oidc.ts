import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, decodeJwt, exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { Provider } from 'oidc-provider';

type Flaw = 'nonce' | 'issuer' | 'audience' | 'expired' | 'signature' | 'alg none';
type Person = { sub: string; email?: string; email_verified?: boolean; name?: string };

/** A certified OpenID provider, whose answers can be spoilt on the way. */
export type OidcFixture = {
  issuer: string;
  /** Registers the client `cairn`, whose secret is `secret`. */
  register(redirectUri: string): void;
  /** Signs a person in at the page that a browser was sent to; answers where the browser is sent back to. */
  signIn(authorization: URL, person: Person): Promise<URL>;
  /** The next answer of the token endpoint has this flaw. */
  spoil(flaw: Flaw): void;
  close(): Promise<void>;
};

export async function startOidcProvider(): Promise<OidcFixture> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(privateKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
  const people = new Map<string, Person>();
  let flaw: Flaw | undefined;

  return {
    issuer,
    register(redirectUri) {
      const provider = new Provider(issuer, {
        clients: [
          {
            client_id: 'cairn',
            client_secret: 'secret',
            redirect_uris: [redirectUri],
            token_endpoint_auth_method: 'client_secret_post',
            id_token_signed_response_alg: 'ES256',
          },
        ],
        jwks: { keys: [jwk] },
        claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
        conformIdTokenClaims: false,
        cookies: { keys: ['for-tests'] },
        findAccount: (_context, id) => ({
          accountId: id,
          claims: async () => ({ ...people.get(id), sub: id }),
        }),
      });
      const answer = provider.callback();
      server.removeAllListeners('request').on('request', (request, response) => {
        if (request.url?.startsWith('/token') && flaw !== undefined) spoilAnswer(response, { flaw, key: privateKey });
        if (request.url?.startsWith('/token')) flaw = undefined;
        void answer(request, response);
      });
    },
    async signIn(authorization, person) {
      people.set(person.sub, person);
      return signIn(authorization, person.sub);
    },
    spoil(next) {
      flaw = next;
    },
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Goes through the provider's own two pages, as a person does. */
async function signIn(authorization: URL, login: string): Promise<URL> {
  const jar = new Map<string, string>();
  let url = authorization;
  let body: URLSearchParams | undefined;
  for (let step = 0; step < 12; step++) {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(body === undefined ? {} : { method: 'POST', body }),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      jar.set(name, value);
    }
    const text = await response.text();
    const location = response.headers.get('location');
    if (location !== null) {
      url = new URL(location, url);
      body = undefined;
      if (url.origin !== authorization.origin) return url;
    } else {
      const prompt = /name="prompt" value="(\w+)"/.exec(text)?.[1];
      if (prompt === undefined) throw new Error(`The provider shows no form: ${response.status} ${text.slice(0, 500)}`);
      url = new URL(/<form[^>]*action="([^"]+)"/.exec(text)?.[1] ?? '', url);
      body = new URLSearchParams({ prompt, login, password: 'any' });
    }
  }
  throw new Error('The provider asks without end.');
}

function spoilAnswer(response: ServerResponse, { flaw, key }: { flaw: Flaw; key: CryptoKey }): void {
  const end = response.end.bind(response) as (body: string) => ServerResponse;
  response.end = ((body: string | Buffer) => {
    const answer = JSON.parse(body.toString()) as { id_token: string };
    void spoilt(answer.id_token, flaw, key).then((id_token) => {
      const text = JSON.stringify({ ...answer, id_token });
      response.setHeader('content-length', Buffer.byteLength(text));
      end(text);
    });
    return response;
  }) as ServerResponse['end'];
}

const CHANGES: Readonly<Partial<Record<Flaw, JWTPayload>>> = {
  nonce: { nonce: 'another' },
  issuer: { iss: 'https://evil.example' },
  audience: { aud: 'another-client' },
  expired: { exp: 1 },
};

async function spoilt(idToken: string, flaw: Flaw, key: CryptoKey): Promise<string> {
  const payload = { ...decodeJwt(idToken), ...CHANGES[flaw] };
  if (flaw === 'alg none') return new UnsecuredJWT(payload).encode();
  const signer = flaw === 'signature' ? (await generateKeyPair('ES256')).privateKey : key;
  return new SignJWT(payload).setProtectedHeader({ alg: 'ES256', kid: 'k1' }).sign(signer);
}
