import { rotateSecrets } from '../../auth/server/issue.ts';
import type { Config } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import type { KeptSecrets } from '../../services/access.ts';
import { admin } from '../../tools/admin.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { mistyped } from '../mistyped.ts';
import { type JsonOption, printResult, printValues, styled } from '../terminal/output.ts';
import { fromNow, table } from '../terminal/table.ts';

const REPLACED_BY: Readonly<Record<KeptSecrets['kind'], string>> = Object.freeze({
  access_token: 'itself, each hour; `cairn auth revoke` ends it',
  refresh_token: 'itself, at each use; `cairn auth revoke` ends it',
  personal_token: 'cairn auth pat revoke, then create',
  client_secret: 'cairn auth secrets rotate CLIENT',
  invitation: 'cairn auth secrets rotate --everything, or at /admin',
  password: 'cairn auth owner set-password',
  session: 'signing out of all browsers, at /account',
  login_link: 'cairn auth owner login-link',
});

/** `cairn auth secrets`. */
export async function runSecrets(config: Config, options: JsonOption): Promise<void> {
  const found = await inLocalContext(config, (ctx) => perform(ctx, admin.commands.list_secrets, {}));
  printResult(found, options, ({ secrets, clients }) => [
    ...table(secrets, [
      { heading: 'SECRET', text: ({ kind }) => kind.replace('_', ' '), style: (text) => styled('bold', text) },
      { heading: 'GOOD', text: ({ count }) => String(count) },
      { heading: 'SINCE', text: ({ since }) => (since === undefined ? '' : fromNow(since)) },
      { heading: 'UNTIL', text: ({ until }) => (until === undefined ? '' : fromNow(until)) },
      { heading: 'REPLACED BY', text: ({ kind }) => REPLACED_BY[kind], flexible: true },
    ]),
    ...(clients.length === 0 ? [] : [`Clients with a secret: ${clients.join(', ')}`]),
  ]);
}

type RotateOptions = JsonOption & { client?: string | undefined; everything?: true; yes?: true };

/** `cairn auth secrets rotate`: new secrets are shown once. */
export async function runRotate(config: Config, { client, everything, yes, ...options }: RotateOptions): Promise<void> {
  if ((client === undefined) === (everything === undefined)) {
    throw mistyped('Rotate which secrets?', 'Name a client, or --everything.');
  }
  if (everything && !yes) {
    throw new DomainError(
      'invalid_input',
      'This ends every connection, invitation and session, and every client secret.',
      {
        hint: 'Add --yes to do it.',
      },
    );
  }
  const rotated = await inLocalContext(config, async (ctx) => {
    const clients = client === undefined ? (await perform(ctx, admin.commands.list_secrets, {})).clients : [client];
    return rotateSecrets(ctx.db, ctx.actor, { clients, everything: everything === true });
  });
  const { clients: renewed, revoked, invitations, sessions } = rotated;
  const about = [
    ...(revoked === undefined
      ? []
      : [
          `Ended: ${revoked.grants} grants with ${revoked.tokens} tokens, ${revoked.pats} personal tokens, ${invitations} invitations, ${sessions} sessions.`,
          "If the owner's password may have leaked too: cairn auth owner set-password",
        ]),
    ...(renewed.length === 0 ? [] : [aboutSecrets(renewed.map(({ client_id }) => client_id))]),
  ];
  printValues(rotated, options, { values: renewed.map(({ client_secret }) => client_secret), about: about.join('\n') });
}

function aboutSecrets(clients: readonly string[]): string {
  return clients.length === 1
    ? `The new secret of ${clients[0]}, shown once:`
    : `The new secrets, shown once, in this order: ${clients.join(', ')}`;
}
