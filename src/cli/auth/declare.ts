import type { Command } from 'commander';
import { command, examples, JSON_OPTION } from '../command.ts';
import type { PatOptions } from './access.ts';

export function addAuthCommands(program: Command): void {
  const auth = program.command('auth').description('manage access over HTTP');
  auth.addHelpText(
    'after',
    examples(
      'cairn auth connections --all',
      'cairn auth revoke --client CLIENT',
      'cairn auth pat create --name ci --scope tasks:read',
    ),
  );
  addOwnerCommands(auth);
  addConnectionCommands(auth);
  addClientCommands(auth);
  addPatCommands(auth);
  addMemberCommands(auth);
  addTrailCommands(auth);
}

// The address that a token or link is made for.
const ADDRESS_OPTION = [
  '--public-url <origin>',
  "the server's address; by default that of the last server of this database",
] as const;

const load = () => import('./access.ts');

function addOwnerCommands(auth: Command): void {
  const owner = auth.command('owner').description('manage the built-in account');
  owner
    .command('set-password')
    .description('set the password, typed or from standard input, and sign out every browser')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth owner set-password'))
    .action(command(async (config, options) => (await import('./owner.ts')).runSetPassword(config, options)));
  owner
    .command('login-link')
    .description('print a link for choosing the password, good once and for 15 minutes')
    .option(...ADDRESS_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth owner login-link'))
    .action(command(async (config, options) => (await import('./owner.ts')).runLoginLink(config, options)));
}

function addConnectionCommands(auth: Command): void {
  auth
    .command('connections')
    .description('list the connections: user, client, start, and when and from where each was last used')
    .option('--all', 'those of all members, not only your own')
    .option('--user <id>', 'only those of this member')
    .option('--client <id>', 'only those through this client')
    .option('--ended', 'include those that were revoked or have expired')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth connections --all'))
    .action(command(async (config, options) => (await load()).runConnections(config, options)));
  auth
    .command('revoke [id]')
    .description('end one connection, or all of a member, a client or the workspace; exit code 1 if nothing matched')
    .option('--user <id>', 'all connections of this member')
    .option('--client <id>', 'all connections through this client')
    .option('--everything', 'all connections of the workspace')
    .option('--yes', 'confirm --everything')
    .option('--reason <text>', 'the reason, kept in the audit trail')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth revoke --client CLIENT --reason "Not used any more."'))
    .action(
      command(async (config, id: string | undefined, options) => (await load()).runRevoke(config, { id, ...options })),
    );
}

function addClientCommands(auth: Command): void {
  const clients = auth.command('clients').description('list, add, block and remove clients');
  clients
    .command('list', { isDefault: true })
    .description('list the clients that have or had access')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth clients'))
    .action(command(async (config, options) => (await load()).runClients(config, options)));
  for (const [name, blocked, words] of [
    ['block', true, 'block a client, and end its grants'],
    ['unblock', false, 'unblock a client'],
  ] as const) {
    clients
      .command(`${name} <client>`)
      .description(words)
      .option(...JSON_OPTION)
      .addHelpText('after', examples(`cairn auth clients ${name} CLIENT`))
      .action(
        command(async (config, client: string, options) =>
          (await load()).runBlock(config, { client, blocked, ...options }),
        ),
      );
  }
  clients
    .command('add <client>')
    .description('add a client that cannot register itself; repeat it to change the client and its secret')
    .requiredOption('--redirect <uri...>', 'its redirect URIs')
    .option('--name <text>', 'its name on the consent page')
    .option('--secret', 'give it a secret, shown once')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth clients add ci --redirect https://ci.example.com/callback --secret'))
    .action(
      command(async (config, client: string, options) => (await load()).runAddClient(config, { client, ...options })),
    );
  clients
    .command('rm <client>')
    .description('remove a client that was added, and end its grants')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth clients rm ci'))
    .action(
      command(async (config, client: string, options) =>
        (await load()).runRemoveClient(config, { client, ...options }),
      ),
    );
}

function addPatCommands(auth: Command): void {
  const pat = auth.command('pat').description('manage personal access tokens, for programs without a browser');
  pat
    .command('create')
    .description('create a token, shown once')
    .requiredOption('--name <text>', 'what the token is for')
    .option(
      '--scope <scopes>',
      'its scopes, comma separated; by default projects and tasks, with --agent only what its runner needs',
    )
    .option('--agent <name>', 'the agent that it drives, for `cairn agent run --url` on another machine')
    .option('--expires <days>', 'days until it expires, at most 366', '90')
    .option('--project <slug>', 'the only project it gives access to; by default all of the workspace')
    .option(...ADDRESS_OPTION)
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      examples(
        'cairn auth pat create --name ci --scope tasks:read --expires 30',
        'cairn auth pat create --name nightly --project web',
        'cairn auth pat create --name buildbox --agent claude-1',
      ),
    )
    .action(
      // Takes only a project and an agent that were typed: CAIRN_PROJECT and CAIRN_AGENT are about tools.
      command(async (config, options: PatOptions, self: Command) => {
        const { project, agent } = self.optsWithGlobals<{ project?: string; agent?: string }>();
        await (await load()).runCreatePat(config, { ...options, project, agent });
      }),
    );
  pat
    .command('list')
    .description('list the valid tokens, without their secrets')
    .option('--all', 'those of all members, not only your own')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth pat list --all'))
    .action(command(async (config, options) => (await load()).runPats(config, options)));
  pat
    .command('revoke [id]')
    .description('revoke a token by its id; with --token-stdin, by the token itself')
    .option('--token-stdin', 'read the token from standard input, e.g. one that leaked')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth pat revoke --token-stdin < leaked.txt'))
    .action(
      command(async (config, id: string | undefined, options) =>
        (await load()).runRevokePat(config, { id, ...options }),
      ),
    );
}

function addMemberCommands(auth: Command): void {
  auth
    .command('invite')
    .description('create a link that invites a person to the workspace, shown once')
    .option('--email <address>', 'only for this address')
    .option('--role <role>', 'owner, admin, member or viewer', 'member')
    .option('--expires <days>', 'days until it expires', '7')
    .option(...ADDRESS_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth invite --email ada@example.com --role member'))
    .action(command(async (config, options) => (await load()).runInvite(config, options)));
  const members = auth.command('members').description('list and change the members of the workspace');
  members
    .command('list', { isDefault: true })
    .description('list the members of the workspace')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth members'))
    .action(command(async (config, options) => (await load()).runMembers(config, options)));
  members
    .command('set <user>')
    .description('give a member another role')
    .requiredOption('--role <role>', 'owner, admin, member or viewer')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth members set USER --role viewer'))
    .action(
      command(async (config, user: string, options) => (await load()).runSetMember(config, { user, ...options })),
    );
  members
    .command('rm <user>')
    .description('remove a member, and end their access at once')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth members rm USER'))
    .action(
      command(async (config, user: string, options) => (await load()).runSetMember(config, { user, ...options })),
    );
}

function addTrailCommands(auth: Command): void {
  auth
    .command('events')
    .description('show the audit trail of access, newest first')
    .option('--since <age>', 'an age like 24h or 7d, or a time')
    .option('--type <type>', 'a type like grant.revoked, or its first word')
    .option('--unowned', 'events of no workspace: client registrations, failed logins')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth events --since 24h --type grant'))
    .action(command(async (config, options) => (await load()).runAuthEvents(config, options)));
  const secrets = auth.command('secrets').description('list and replace secrets, which are stored only as hashes');
  secrets
    .command('list', { isDefault: true })
    .description('count the valid secrets of each kind, with their dates and how to replace them')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth secrets'))
    .action(command(async (config, options) => (await import('./secrets.ts')).runSecrets(config, options)));
  secrets
    .command('rotate [client]')
    .description('give a client a new secret, shown once; with --everything, end all that could have leaked')
    .option('--everything', 'all clients that have a secret; also ends all tokens, invitations and your sessions')
    .option('--yes', 'confirm --everything')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth secrets rotate ci', 'cairn auth secrets rotate --everything --yes'))
    .action(
      command(async (config, client: string | undefined, options) =>
        (await import('./secrets.ts')).runRotate(config, { client, ...options }),
      ),
    );
  auth
    .command('gc')
    .description('delete expired tokens, codes and sessions, and clients that nobody authorized')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth gc'))
    .action(command(async (config, options) => (await load()).runPurge(config, options)));
  auth
    .command('doctor [url]')
    .description('check a deployment from outside, by default the server of this database; registers as a client')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth doctor', 'cairn auth doctor https://cairn.example.com/mcp'))
    .action(
      command(async (config, url: string | undefined, options) =>
        (await import('./doctor.ts')).runAuthDoctor(config, url, options),
      ),
    );
}
