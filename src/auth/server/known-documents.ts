/** The document addresses by which current clients identify themselves, each with a redirect that it lists. */
export const KNOWN_DOCUMENTS: readonly { client_name: string; client_id: string; redirect_uri: string }[] =
  Object.freeze([
    {
      client_name: 'Claude Code',
      client_id: 'https://claude.ai/oauth/claude-code-client-metadata',
      redirect_uri: 'http://localhost:54321/callback',
    },
    {
      client_name: 'Codex',
      client_id: 'https://chatgpt.com/oauth/codex/client.json',
      redirect_uri: 'http://127.0.0.1:54321/callback/0123456789ab',
    },
  ]);

const HOSTS = new Set([...KNOWN_DOCUMENTS.map(({ client_id }) => new URL(client_id).hostname), 'vscode.dev']);

/**
 * Tells whether the host is one of these. If it is away, that says something about this machine; a stranger's host says
 * nothing.
 */
export function isKnownHost(host: string): boolean {
  return HOSTS.has(host);
}
