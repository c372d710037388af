import type { Config } from '../../config.ts';
import type { Database } from '../../db/database.ts';
import { inLocalContext } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { servedAddress } from '../serve/served-address.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { ask, documentAt, type Finding } from './remote-checks.ts';
import { serverFindings } from './server-checks.ts';

const SKEW_MS_MAX = 60_000;

/**
 * `cairn auth doctor [URL]`: checks a deployment as a client sees it, by default the one that serves the database. Exit
 * status 1 when something needs a change.
 */
export async function runAuthDoctor(config: Config, given: string | undefined, options: JsonOption): Promise<void> {
  const url = given === undefined ? await inLocalContext(config, ({ db }) => endpointOf(config, db)) : URL.parse(given);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw mistyped('That is not an address.', 'Like https://cairn.example.com/mcp');
  }
  const findings = await examine(url);
  if (findings.some(({ ok }) => !ok)) process.exitCode = 1;
  printResult(findings, options, (all) =>
    all.map(
      ({ check, ok, advice }) =>
        `${ok ? styled('green', 'ok') : styled('red', 'no')}  ${check}${ok || advice === undefined ? '' : `\n    ${advice}`}`,
    ),
  );
}

async function endpointOf(config: Config, db: Database): Promise<URL> {
  return new URL('/mcp', await servedAddress(config, db));
}

async function examine(url: URL): Promise<Finding[]> {
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  const findings: Finding[] = [
    {
      check: isLocal ? 'it is reached on this machine' : 'it is reached by https',
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
  const metadata = await documentAt(new URL('/.well-known/oauth-protected-resource/mcp', url));
  findings.push({
    check: 'the resource metadata names exactly this address',
    ok: metadata?.['resource'] === url.href,
    advice: `It says ${String(metadata?.['resource'])}. Start the server with --public-url ${url.origin}, and use ${url.origin}/mcp.`,
  });
  const [issuer] = Array.isArray(metadata?.['authorization_servers']) ? metadata['authorization_servers'] : [];
  if (typeof issuer !== 'string') return findings;
  return [...findings, ...(await serverFindings(issuer, url))];
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
