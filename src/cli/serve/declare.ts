import { type Command, Option } from 'commander';
import { command, examples } from '../command.ts';
import type { ServeOptions } from './serve.ts';

export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description('serve MCP over HTTP, at /mcp')
    .option('--host <address>', 'the address to listen on; 127.0.0.1 by default (CAIRN_HOST)')
    .option('--port <number>', 'the port to listen on; 7070 by default, 0 for any free one (CAIRN_PORT)')
    .option('--public-url <origin>', 'its address for clients, like https://cairn.example.com (CAIRN_PUBLIC_URL)')
    .option('--auth', 'require every client to authenticate (CAIRN_AUTH)')
    .option('--auth-issuer <url>', 'accept tokens of this authorization server instead (CAIRN_AUTH_ISSUER)')
    .option('--auth-issuer-private', 'allow that server to be on a private network (CAIRN_AUTH_ISSUER_PRIVATE)')
    .option('--access-token-seconds <n>', 'lifetime of access tokens; 3600 by default (CAIRN_ACCESS_TOKEN_SECONDS)')
    .option('--refresh-token-days <n>', 'lifetime of unused refresh tokens; 30 by default (CAIRN_REFRESH_TOKEN_DAYS)')
    .option('--grant-days <n>', 'lifetime of a consent; 90 by default (CAIRN_GRANT_DAYS)')
    .option(
      '--refresh-grace-seconds <n>',
      'how long a used refresh token stays valid; 120 by default (CAIRN_REFRESH_GRACE_SECONDS)',
    )
    .option('--allow-admin', 'let clients request the scope admin (CAIRN_ALLOW_ADMIN)')
    .option(
      '--client-document-hosts <names>',
      'hosts whose client metadata documents are accepted (CAIRN_CLIENT_DOCUMENT_HOSTS)',
    )
    // Because the opposite option exists, it has no default: without it the variable counts.
    .addOption(new Option('--client-documents').hideHelp())
    .option(
      '--no-client-documents',
      'fetch no client metadata documents: every client registers (CAIRN_CLIENT_DOCUMENTS=0)',
    )
    .option(
      '--allowed-origins <origins>',
      'origins of web pages that may call it, comma separated (CAIRN_ALLOWED_ORIGINS)',
    )
    .option(
      '--trusted-proxies <count>',
      'number of proxies in front whose X-Forwarded-For is trusted (CAIRN_TRUSTED_PROXIES)',
    )
    .option('--no-worker', 'run no jobs: another process does (`cairn worker`)')
    .option('--json', 'print the address it listens on as a line of JSON')
    .addHelpText(
      'after',
      examples('cairn serve', 'cairn serve --host 0.0.0.0 --public-url https://cairn.example.com --auth'),
    )
    .action(command(async (config, options: ServeOptions) => (await import('./serve.ts')).runServe(config, options)));
}
