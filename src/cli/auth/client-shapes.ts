/**
 * The registrations of current clients (RFC 7591): each redirect must come back, otherwise its login ends at an error
 * page.
 */
export const CLIENT_SHAPES: readonly { client_name: string; redirect_uris: string[]; [more: string]: unknown }[] =
  Object.freeze([
    {
      client_name: 'Claude Code',
      redirect_uris: ['http://localhost:54321/callback', 'http://127.0.0.1:54321/callback'],
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
    },
    {
      client_name: 'Claude',
      redirect_uris: ['https://claude.ai/api/mcp/auth_callback', 'https://claude.com/api/mcp/auth_callback'],
      token_endpoint_auth_method: 'none',
    },
    {
      client_name: 'Cursor',
      redirect_uris: [
        'cursor://anysphere.cursor-mcp/oauth/callback',
        'https://www.cursor.com/agents/mcp/oauth/callback',
        'http://localhost:8787/callback',
      ],
      token_endpoint_auth_method: 'none',
    },
    {
      client_name: 'VS Code',
      redirect_uris: ['http://127.0.0.1:33418/', 'https://vscode.dev/redirect'],
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      application_type: 'native',
    },
    {
      client_name: 'Codex',
      redirect_uris: ['http://127.0.0.1:54321/callback/0123456789ab'],
      application_type: 'native',
    },
    {
      client_name: 'ChatGPT',
      redirect_uris: ['https://chatgpt.com/connector_platform_oauth_redirect'],
      token_endpoint_auth_methods: ['none', 'private_key_jwt'],
    },
    {
      client_name: 'MCP Inspector',
      redirect_uris: ['http://localhost:6274/oauth/callback', 'http://localhost:6274/oauth/callback/debug'],
    },
    {
      client_name: 'mcp-remote',
      redirect_uris: ['http://localhost:3335/oauth/callback'],
      scope: 'projects:read offline_access',
    },
  ]);
