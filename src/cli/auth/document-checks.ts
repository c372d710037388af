import { KNOWN_DOCUMENTS } from '../../auth/server/known-documents.ts';
import { PHRASES } from '../../auth/server/unknown-client.ts';
import { ask, type Document, type Finding } from './remote-checks.ts';

const OFF = 'start it with --no-client-documents: then these programs register';
const UNREACHABLE = new RegExp(String.raw`\S+ ${PHRASES.unreachable}: .{1,80}?\.(?= |$)`);
const NOT_GOOD = new RegExp(String.raw`${PHRASES.document}: .{1,80}?\.(?= |$)`);

/**
 * Requests access as each client does that identifies itself by its document; nobody answers, and the requests expire
 * in ten minutes.
 */
export function documentFindings(issuer: string, metadata: Document): Promise<Finding[]> {
  return Promise.all(KNOWN_DOCUMENTS.map((known) => documentFinding(issuer, metadata, known)));
}

async function documentFinding(
  issuer: string,
  metadata: Document,
  { client_name, client_id, redirect_uri }: (typeof KNOWN_DOCUMENTS)[number],
): Promise<Finding> {
  const { hostname: host } = new URL(client_id);
  const asked = new URL('/oauth/authorize', issuer);
  asked.search = new URLSearchParams({
    client_id,
    redirect_uri,
    response_type: 'code',
    code_challenge: 'x'.repeat(43),
    code_challenge_method: 'S256',
    resource: `${issuer}/mcp`,
  }).toString();
  const reply = await ask(asked, { redirect: 'manual' });
  const page = reply instanceof Error ? '' : textOf(await reply.text());
  const areOff = page.includes(PHRASES.off);
  if (areOff && metadata['client_id_metadata_document_supported'] === false) {
    return { check: `${client_name} registers: the server fetches no documents of clients`, ok: true };
  }
  return {
    check: `${client_name} is known by its document at ${host}`,
    ok: !(reply instanceof Error) && reply.status < 500 && !page.includes(PHRASES.title),
    advice: reply instanceof Error ? `${reply.message}: let ${issuer}/oauth/* pass.` : adviceFor(host, page),
  };
}

function adviceFor(host: string, page: string): string {
  const [failed] = UNREACHABLE.exec(page) ?? [];
  if (failed !== undefined) {
    const hosts = KNOWN_DOCUMENTS.map(({ client_id }) => new URL(client_id).hostname).join(',');
    return `${failed} Let the server reach https://${host}, by HTTPS_PROXY and --client-document-hosts ${hosts} if it has a proxy; or ${OFF}.`;
  }
  if (page.includes(PHRASES.host)) return `Add ${host} to the server's --client-document-hosts, or ${OFF}.`;
  if (page.includes(PHRASES.off)) {
    return 'The metadata says that it fetches them: let no cache keep /.well-known/oauth-authorization-server.';
  }
  const [bad] = NOT_GOOD.exec(page) ?? [];
  return bad === undefined
    ? 'Something in front answers /oauth/authorize: let it pass.'
    : `It found a document ${bad} If a filter answers for ${host}, let the server pass it; or ${OFF}.`;
}

/** Returns the text that a person reads on one of our pages. */
function textOf(html: string): string {
  const [, main = html] = /<main[^>]*>([\s\S]*)<\/main>/.exec(html) ?? [];
  return main.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ');
}
