import { metadataUrls } from '../../auth/resource/issuer-keys.ts';
import { recordOf } from '../../records.ts';
import { CLIENT_SHAPES } from './client-shapes.ts';
import { documentFindings } from './document-checks.ts';
import { ask, type Document, documentAt, type Finding } from './remote-checks.ts';

/** Checks the authorization server that the resource at `url` names, our own or another. */
export async function serverFindings(issuer: string, url: URL): Promise<Finding[]> {
  const metadata = await serverMetadata(issuer);
  if (metadata === undefined) {
    return [{ check: 'the authorization server has metadata', ok: false, advice: `Let ${issuer}/.well-known/* pass.` }];
  }
  const isOurs = new URL(issuer).origin === url.origin;
  const methods = metadata['code_challenge_methods_supported'];
  return [
    ...(await (isOurs ? ownFindings(issuer, metadata) : foreignFindings(metadata))),
    {
      check: 'the issuer is the address it was found by',
      ok: metadata['issuer'] === issuer,
      advice: `It says ${String(metadata['issuer'])}: correct ${isOurs ? '--public-url' : '--auth-issuer'}.`,
    },
    {
      check: 'it has PKCE S256',
      ok: Array.isArray(methods) && methods.includes('S256'),
      advice: 'Clients refuse to go on without it.',
    },
  ];
}

/**
 * Fetches metadata as RFC 8414 or OpenID Connect Discovery has it: clients look for both (MCP authorization,
 * 2025-11-25).
 */
async function serverMetadata(issuer: string): Promise<Document | undefined> {
  for (const url of URL.canParse(issuer) ? metadataUrls(issuer) : []) {
    const metadata = await documentAt(url);
    if (metadata !== undefined) return metadata;
  }
  return undefined;
}

async function ownFindings(issuer: string, metadata: Document): Promise<Finding[]> {
  const cors = await ask(new URL('/oauth/token', issuer), {
    method: 'OPTIONS',
    headers: { origin: 'https://inspector.example', 'access-control-request-method': 'POST' },
  });
  const stray = await ask(new URL('/oauth/authorize?client_id=doctor&redirect_uri=https://example.com/x', issuer), {
    redirect: 'manual',
  });
  const registrations = await Promise.all(CLIENT_SHAPES.map((shape) => registrationFinding(issuer, shape)));
  return [
    ...registrations,
    ...(await documentFindings(issuer, metadata)),
    {
      check: 'it names itself in its answers (RFC 9207)',
      ok: metadata['authorization_response_iss_parameter_supported'] === true,
      advice: 'Update the server.',
    },
    {
      check: 'programs in a browser may call it',
      ok: cors instanceof Response && cors.headers.get('access-control-allow-origin') === '*',
      advice: 'A proxy answers OPTIONS or drops Access-Control headers: let them pass.',
    },
    {
      check: 'it redirects nobody to an address it does not know',
      ok: stray instanceof Response && stray.status === 400 && stray.headers.get('location') === null,
      advice: 'Something in front answers /oauth/authorize: let it pass.',
    },
  ];
}

/** Checks a foreign server without registering: there a registration could stay for ever. */
async function foreignFindings(metadata: Document): Promise<Finding[]> {
  const address = String(metadata['jwks_uri']);
  const keys = URL.canParse(address) ? (await documentAt(new URL(address)))?.['keys'] : undefined;
  const mayJoin =
    typeof metadata['registration_endpoint'] === 'string' || metadata['client_id_metadata_document_supported'] === true;
  return [
    {
      check: 'its keys can be fetched',
      ok: Array.isArray(keys) && keys.length > 0,
      advice: `Nothing to verify a token with at ${address}.`,
    },
    {
      check: 'clients may register, or are known by their documents',
      ok: mayJoin,
      advice: 'Switch on dynamic registration there, or add each client by hand and give people its id.',
    },
  ];
}

/** Registers as that client would; a client that nobody authorizes is deleted after a day. */
async function registrationFinding(issuer: string, shape: (typeof CLIENT_SHAPES)[number]): Promise<Finding> {
  const reply = await ask(new URL('/oauth/register', issuer), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(shape),
  });
  const said = reply instanceof Error ? undefined : recordOf(await reply.json().catch(() => undefined));
  const kept = said?.['redirect_uris'];
  return {
    check: `${shape.client_name} may register`,
    ok: Array.isArray(kept) && shape.redirect_uris.every((uri) => kept.includes(uri)),
    advice:
      reply instanceof Error
        ? `${reply.message}: let ${issuer}/oauth/* pass.`
        : `It answered ${reply.status}${said?.['error'] === undefined ? '' : `, ${String(said['error'])}`}: ${reply.status === 429 ? 'wait an hour, or look at who registers.' : 'let POST /oauth/register pass as it is.'}`,
  };
}
