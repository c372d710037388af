import type { Command } from 'commander';
import { command, examples, JSON_OPTION } from '../command.ts';
import type { PatOptions } from './access.ts';

export function addAuthCommands(program: Command): void {
  const auth = program.command('auth').description('look after who has access by URL');
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
  "the server's address; by default the one that last served this database",
] as const;

const load = () => import('./access.ts');

function addOwnerCommands(auth: Command): void {
  const owner = auth.command('owner').description('look after the built-in account');
  owner
    .command('set-password')
    .description('set its password, typed or from standard input; signs out every browser')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth owner set-password'))
    .action(command(async (config, options) => (await import('./owner.ts')).runSetPassword(config, options)));
  owner
    .command('login-link')
    .description('print a link by which its holder chooses the password, once and within 15 minutes')
    .option(...ADDRESS_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth owner login-link'))
    .action(command(async (config, options) => (await import('./owner.ts')).runLoginLink(config, options)));
}

function addConnectionCommands(auth: Command): void {
  auth
    .command('connections')
    .description('who has access, through which client, since when, last used from where')
    .option('--all', "everybody's, not only your own")
    .option('--user <id>', 'only of this member')
    .option('--client <id>', 'only through this client')
    .option('--ended', 'also what was revoked or is over')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth connections --all'))
    .action(command(async (config, options) => (await load()).runConnections(config, options)));
  auth
    .command('revoke [id]')
    .description('end one connection, or all of a user, of a client, or everything; exit status 1 when nothing matched')
    .option('--user <id>', 'all of this member')
    .option('--client <id>', 'all of this client')
    .option('--everything', 'all of the workspace')
    .option('--yes', 'really, with --everything')
    .option('--reason <text>', 'why; it stays on the record')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth revoke --client CLIENT --reason "Not used any more."'))
    .action(
      command(async (config, id: string | undefined, options) => (await load()).runRevoke(config, { id, ...options })),
    );
}

function addClientCommands(auth: Command): void {
  const clients = auth.command('clients').description('the programs that have or had access');
  clients
    .command('list', { isDefault: true })
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth clients'))
    .action(command(async (config, options) => (await load()).runClients(config, options)));
  for (const [name, blocked, words] of [
    ['block', true, 'keep a program out, and end its grants'],
    ['unblock', false, 'admit it again'],
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
    .description('add a program that cannot register itself; again, to change it and get a new secret')
    .requiredOption('--redirect <uri...>', 'where its answers go')
    .option('--name <text>', 'what the consent page calls it')
    .option('--secret', 'give it a secret, shown once')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth clients add ci --redirect https://ci.example.com/callback --secret'))
    .action(
      command(async (config, client: string, options) => (await load()).runAddClient(config, { client, ...options })),
    );
  clients
    .command('rm <client>')
    .description('remove one that was added, and end its grants')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth clients rm ci'))
    .action(
      command(async (config, client: string, options) =>
        (await load()).runRemoveClient(config, { client, ...options }),
      ),
    );
}

function addPatCommands(auth: Command): void {
  const pat = auth.command('pat').description('personal access tokens, for programs without a browser');
  pat
    .command('create')
    .description('make one; it is shown once')
    .requiredOption('--name <text>', 'what it is for')
    .option('--scope <scopes>', 'comma separated', 'projects:read,projects:write,tasks:read,tasks:write')
    .option('--expires <days>', 'how many days it lives, at most 366', '90')
    .option('--project <slug>', 'the one project that it reaches; otherwise the workspace')
    .option(...ADDRESS_OPTION)
    .option(...JSON_OPTION)
    .addHelpText(
      'after',
      examples(
        'cairn auth pat create --name ci --scope tasks:read --expires 30',
        'cairn auth pat create --name nightly --project web',
      ),
    )
    .action(
      // Takes only a project that was typed: CAIRN_PROJECT is about tools.
      command(async (config, options: PatOptions, self: Command) => {
        const { project } = self.optsWithGlobals<{ project?: string }>();
        await (await load()).runCreatePat(config, { ...options, project });
      }),
    );
  pat
    .command('list')
    .description('those that are good, without their secrets')
    .option('--all', "everybody's, not only your own")
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth pat list --all'))
    .action(command(async (config, options) => (await load()).runPats(config, options)));
  pat
    .command('revoke [id]')
    .description('end one; with --token-stdin, the one that is typed or piped in')
    .option('--token-stdin', 'read the token, e.g. one that leaked')
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
    .description('make a link that lets somebody into the workspace; it is shown once')
    .option('--email <address>', 'only for who has this address')
    .option('--role <role>', 'owner, admin, member or viewer', 'member')
    .option('--expires <days>', 'how many days it is good for', '7')
    .option(...ADDRESS_OPTION)
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth invite --email ada@example.com --role member'))
    .action(command(async (config, options) => (await load()).runInvite(config, options)));
  const members = auth.command('members').description('who belongs to the workspace');
  members
    .command('list', { isDefault: true })
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
    .description('remove a member, whose access ends at once')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth members rm USER'))
    .action(
      command(async (config, user: string, options) => (await load()).runSetMember(config, { user, ...options })),
    );
}

function addTrailCommands(auth: Command): void {
  auth
    .command('events')
    .description('the audit trail of access, newest first')
    .option('--since <age>', 'like 24h or 7d, or a time')
    .option('--type <type>', 'like grant.revoked, or its first word')
    .option('--unowned', 'what belongs to no workspace: clients that registered, logins that failed')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth events --since 24h --type grant'))
    .action(command(async (config, options) => (await load()).runAuthEvents(config, options)));
  const secrets = auth.command('secrets').description('what opens the workspace, kept as hashes alone');
  secrets
    .command('list', { isDefault: true })
    .description('how many of each kind are good, since and until when, and how to replace them')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth secrets'))
    .action(command(async (config, options) => (await import('./secrets.ts')).runSecrets(config, options)));
  secrets
    .command('rotate [client]')
    .description('give a client a new secret, shown once; or with --everything end all that could have leaked')
    .option('--everything', 'all clients that have a secret; and end all tokens, invitations and your sessions')
    .option('--yes', 'really, with --everything')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth secrets rotate ci', 'cairn auth secrets rotate --everything --yes'))
    .action(
      command(async (config, client: string | undefined, options) =>
        (await import('./secrets.ts')).runRotate(config, { client, ...options }),
      ),
    );
  auth
    .command('gc')
    .description('delete what is over: tokens, codes, sessions, clients that nobody authorized')
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth gc'))
    .action(command(async (config, options) => (await load()).runPurge(config, options)));
  auth
    .command('doctor [url]')
    .description(
      'check a deployment from outside, by default the one that serves this database; registers as clients do',
    )
    .option(...JSON_OPTION)
    .addHelpText('after', examples('cairn auth doctor', 'cairn auth doctor https://cairn.example.com/mcp'))
    .action(
      command(async (config, url: string | undefined, options) =>
        (await import('./doctor.ts')).runAuthDoctor(config, url, options),
      ),
    );
}
