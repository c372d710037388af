import { type Command, Option } from 'commander';
import { command, examples } from '../command.ts';
import type { JsonOption } from '../terminal/output.ts';

export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description('serve MCP over HTTP, at /mcp')
    .option('--host <address>', 'where to listen; 127.0.0.1 by default (CAIRN_HOST)')
    .option('--port <number>', 'the port; 7070 by default, 0 for any that is free (CAIRN_PORT)')
    .option('--public-url <origin>', 'how clients reach it, like https://cairn.example.com (CAIRN_PUBLIC_URL)')
    .option('--auth', 'have every client prove who it acts for (CAIRN_AUTH)')
    .option('--auth-issuer <url>', 'believe the tokens of this authorization server instead (CAIRN_AUTH_ISSUER)')
    .option('--auth-issuer-private', 'it may be on a private network (CAIRN_AUTH_ISSUER_PRIVATE)')
    .option('--access-token-seconds <n>', 'how long access tokens live; an hour (CAIRN_ACCESS_TOKEN_SECONDS)')
    .option('--refresh-token-days <n>', 'how long refresh tokens live unused; 30 (CAIRN_REFRESH_TOKEN_DAYS)')
    .option('--grant-days <n>', 'how long a consent lasts; 90 (CAIRN_GRANT_DAYS)')
    .option('--refresh-grace-seconds <n>', 'how long a used refresh token is good; 120 (CAIRN_REFRESH_GRACE_SECONDS)')
    .option('--allow-admin', 'let programs ask for the scope admin (CAIRN_ALLOW_ADMIN)')
    .option('--client-document-hosts <names>', 'hosts that may vouch for clients (CAIRN_CLIENT_DOCUMENT_HOSTS)')
    // Because the opposite option exists, it has no default: without it the variable counts.
    .addOption(new Option('--client-documents').hideHelp())
    .option('--no-client-documents', 'fetch none: every client registers (CAIRN_CLIENT_DOCUMENTS=0)')
    .option('--allowed-origins <origins>', 'web pages that may call it, comma separated (CAIRN_ALLOWED_ORIGINS)')
    .option('--trusted-proxies <count>', 'proxies in front whose X-Forwarded-For is believed (CAIRN_TRUSTED_PROXIES)')
    .option('--json', 'print where it listens as a line of JSON')
    .addHelpText(
      'after',
      examples('cairn serve', 'cairn serve --host 0.0.0.0 --public-url https://cairn.example.com --auth'),
    )
    .action(command(async (config, options: JsonOption) => (await import('./serve.ts')).runServe(config, options)));
}
