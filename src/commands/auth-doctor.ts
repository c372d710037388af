import { DomainError } from '../errors.ts';
import { CLIENT_SHAPES } from './client-shapes.ts';
import { answer, type JsonOption, paint } from './paint.ts';

type Finding = { check: string; ok: boolean; advice?: string };
const MS_MAX = 10_000;
const SKEW_MS_MAX = 60_000;

/** `cairn auth doctor URL`: looks at a deployment as a client does. Exit status 1 when something is to be changed. */
export async function runAuthDoctor(given: string, options: JsonOption): Promise<void> {
  const url = URL.parse(given);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new DomainError('invalid_input', 'This is no address.', { hint: 'Like https://cairn.example.com/mcp' });
  }
  const findings = await examine(url);
  if (findings.some(({ ok }) => !ok)) process.exitCode = 1;
  answer(findings, options, (all) =>
    all.map(
      ({ check, ok, advice }) =>
        `${ok ? paint('green', 'ok') : paint('red', 'no')}  ${check}${ok || advice === undefined ? '' : `\n    ${advice}`}`,
    ),
  );
}

async function examine(url: URL): Promise<Finding[]> {
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  const findings: Finding[] = [
    {
      check: 'it is reached by https',
      ok: url.protocol === 'https:' || isLocal,
      advice: 'Put a proxy with a certificate in front.',
    },
  ];
  const reply = await ask(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  if (reply instanceof Error)
    return [
      ...findings,
      { check: 'it answers', ok: false, advice: `${reply.message}: check DNS, the certificate and the firewall.` },
    ];
  findings.push(...(await challengeFindings(url, reply)), clockFinding(reply));
  const metadata = await json(new URL('/.well-known/oauth-protected-resource/mcp', url));
  findings.push({
    check: 'the resource metadata names exactly this address',
    ok: metadata?.['resource'] === url.href,
    advice: `It says ${String(metadata?.['resource'])}. Start the server with --public-url ${url.origin}, and use ${url.origin}/mcp.`,
  });
  const [issuer] = Array.isArray(metadata?.['authorization_servers']) ? metadata['authorization_servers'] : [];
  if (typeof issuer !== 'string') return findings;
  return [...findings, ...(await serverFindings(issuer))];
}

async function challengeFindings(url: URL, reply: Response): Promise<Finding[]> {
  const challenge = reply.headers.get('www-authenticate') ?? '';
  const type = reply.headers.get('content-type') ?? '';
  return [
    {
      check: 'it asks for a token (401)',
      ok: reply.status === 401,
      advice: type.includes('html')
        ? `It answered ${reply.status} with a page: a firewall or CDN stands in front. Let ${url.pathname} and /oauth/* pass.`
        : `It answered ${reply.status}. Start the server with --auth.`,
    },
    {
      check: 'the challenge says where to ask',
      ok: challenge.includes('resource_metadata='),
      advice: 'A proxy drops the header WWW-Authenticate: let it pass.',
    },
  ];
}

function clockFinding(reply: Response): Finding {
  const skew = Math.abs(Date.now() - Date.parse(reply.headers.get('date') ?? ''));
  return {
    check: 'its clock agrees with this one',
    ok: skew < SKEW_MS_MAX,
    advice: 'Switch on time synchronisation on the server.',
  };
}

async function serverFindings(issuer: string): Promise<Finding[]> {
  const metadata = await json(new URL('/.well-known/oauth-authorization-server', issuer));
  if (metadata === undefined) {
    return [{ check: 'the authorization server has metadata', ok: false, advice: `Let ${issuer}/.well-known/* pass.` }];
  }
  const methods = metadata['code_challenge_methods_supported'];
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
    {
      check: 'the issuer is the address it was found by',
      ok: metadata['issuer'] === issuer,
      advice: `It says ${String(metadata['issuer'])}: correct --public-url.`,
    },
    {
      check: 'it has PKCE S256',
      ok: Array.isArray(methods) && methods.includes('S256'),
      advice: 'Clients refuse to go on without it.',
    },
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

type Said = { redirect_uris?: unknown; error?: unknown };

/** Registers as that client would; what nobody authorizes is forgotten after a day. */
async function registrationFinding(issuer: string, shape: (typeof CLIENT_SHAPES)[number]): Promise<Finding> {
  const reply = await ask(new URL('/oauth/register', issuer), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(shape),
  });
  const said = reply instanceof Error ? undefined : ((await reply.json().catch(() => undefined)) as Said | undefined);
  const kept = said?.redirect_uris;
  return {
    check: `${shape.client_name} may register`,
    ok: Array.isArray(kept) && shape.redirect_uris.every((uri) => kept.includes(uri)),
    advice:
      reply instanceof Error
        ? `${reply.message}: let ${issuer}/oauth/* pass.`
        : `It answered ${reply.status}${said?.error === undefined ? '' : `, ${String(said.error)}`}: ${reply.status === 429 ? 'wait an hour, or look at who registers.' : 'let POST /oauth/register pass as it is.'}`,
  };
}

async function ask(url: URL, init: RequestInit = {}): Promise<Response | Error> {
  try {
    return await fetch(url, { ...init, signal: AbortSignal.timeout(MS_MAX) });
  } catch (error) {
    return (error as Error).cause instanceof Error ? ((error as Error).cause as Error) : (error as Error);
  }
}

async function json(url: URL): Promise<Record<string, unknown> | undefined> {
  const reply = await ask(url);
  if (reply instanceof Error || !reply.ok) return undefined;
  return reply.json().catch(() => undefined) as Promise<Record<string, unknown> | undefined>;
}
