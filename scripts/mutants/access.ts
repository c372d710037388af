import { of } from './mutant.ts';
import { SQL } from './sql.ts';

/**
 * Threats to access itself: rights that outlive a role, lock-outs, answers beyond a scope, and what anybody may use up.
 */
export const ACCESS = Object.freeze([
  ...of('T38', 'test/remote/invitations.test.ts', [
    {
      file: SQL,
      find: 'i.invited_by = member and not app.may_invite(withdraw_invitations.role, i.role)',
      replace: 'false',
      name: 'of an admin who is removed is withdrawn with the right to it',
    },
    {
      file: SQL,
      find: " and (role <> 'owner' or inviter_role = 'owner')",
      name: 'of an owner who becomes an admin is withdrawn with the right to it',
    },
    {
      file: SQL,
      find: 'invitation.invited_by), invitation.role) then',
      replace: 'invitation.invited_by), invitation.role) and false then',
      name: 'whose maker is gone opens nothing, and the workspace is told who tried',
    },
    {
      file: SQL,
      find: '          or lower(i.email) = any (v_emails) and app.role_rank(i.role) > app.role_rank(withdraw_invitations.role))\n',
      replace: ')\n',
      name: 'for the address of somebody who is removed is withdrawn, whoever made it',
    },
    {
      file: SQL,
      find: `  v_emails := array(select lower(i.email) from app.user_identities i
    where i.tenant_id = app.get_nil_id() and i.user_id = member and i.email_verified);`,
      replace: '  v_emails := array(select lower(u.email) from public.users u where u.id = member);',
      name: 'for any address of somebody who is removed is withdrawn: that of another identity, and a changed one',
    },
    {
      file: SQL,
      find: "and e.type = 'invitation.refused' and e.at > app.now() - interval '1 minute'",
      replace: 'and false',
      name: 'that is opened again and again is recorded once a minute',
    },
  ]),
  ...of('T39', 'test/remote/lock-out.test.ts', [
    {
      file: 'src/web/sign-in-limit.ts',
      find: '.known) return { account, buckets: [] };',
      replace: '.known) void 0;',
      name: 'signs in from a browser that did so before',
    },
    {
      file: 'src/web/sign-in-limit.ts',
      find: "  if ((await takeEach(store, from, first)) !== undefined) return { wait, of: 'account' };\n",
      replace: "  if (wait > 0) return { wait, of: 'account' };\n",
      name: 'signs in from a network that is new today, at the first try',
    },
    {
      file: 'src/web/login.ts',
      find: "  const code = form.get('code') ?? '';\n  const password",
      replace:
        "  await takeAttempt(web.store, trierOf(web, browserSession), accountOf('link', 'password'));\n  const code = form.get('code') ?? '';\n  const password",
      name: 'signs in with a link of the server whatever is used up',
    },
    {
      file: SQL,
      find: 'set count = greatest(a.count - 1, 0)',
      replace: 'set count = a.count',
      name: 'that was right is not counted',
    },
    {
      file: SQL,
      find: '      and a.count < attempts_max;',
      replace: '      ;',
      name: 'of a known browser is one of ten between two that were right',
    },
    {
      file: SQL,
      find: "select 'browser ' || account || ' ' || browser_hash",
      replace: "select 'browser ' || browser_hash",
      name: 'is of a known browser only for the account that it signed in to',
    },
    {
      file: SQL,
      find: "and a.bucket > app.browser_bucket(v_actor.user_id::text, '')",
      replace: 'and false',
      name: 'is of a known browser only for the account that it signed in to',
    },
    {
      file: SQL,
      find: "a.bucket = app.browser_bucket(account, browser ->> 'replaces_hash')",
      replace: 'false',
      name: 'gives a browser a new secret, and the old one counts no more',
    },
  ]),
  ...of('T39', 'test/remote/identities.test.ts', [
    {
      file: 'src/web/login.ts',
      find: '  if (isSent) await',
      replace: '  if (!isSent) throw new DomainError("rate_limited", "Too many attempts.");\n  await',
      name: 'takes the newest code where somebody asks for codes without end',
    },
  ]),
  ...of('T40', 'test/remote/scopes.test.ts', [
    ...['search', 'checkpoints', 'projects', 'history', 'decisions', 'events', 'tasks'].map((service) => ({
      file: `src/services/${service}.ts`,
      find:
        service === 'events' || service === 'tasks'
          ? 'PROJECTS_HIDDEN, showsProjects'
          : service === 'search'
            ? 'showsProjects, showsTasks, TASKS_HIDDEN }'
            : service === 'decisions'
              ? '{ showsTasks }'
              : '{ showsTasks, TASKS_HIDDEN }',
      replace:
        service === 'events' || service === 'tasks'
          ? 'PROJECTS_HIDDEN, showsTasks as showsProjects'
          : service === 'search'
            ? 'showsProjects, showsProjects as showsTasks, TASKS_HIDDEN }'
            : service === 'decisions'
              ? '{ showsProjects as showsTasks }'
              : '{ showsProjects as showsTasks, TASKS_HIDDEN }',
      name: 'shows what is of tasks to who may read them, and what is of projects likewise',
    })),
    {
      file: 'src/services/visible-scopes.ts',
      find: "return mayUse(scopes, 'tasks:read');",
      replace: 'return scopes.size > 0;',
      name: 'shows what is of tasks to who may read them, and what is of projects likewise',
    },
    {
      file: 'src/server/mcp/required-scopes.ts',
      find: '      return suggesting(params?.argument?.name);\n',
      replace: '      return [];\n',
      name: 'needs the scopes of what it shows: completing a ref',
    },
  ]),
  ...of('T41', 'test/remote/auth-sizes.test.ts', [
    {
      file: SQL,
      find: "app.cut_audited(coalesce(jsonb_strip_nulls(event -> 'data'), '{}'))",
      replace: "coalesce(jsonb_strip_nulls(event -> 'data'), '{}')",
      name: 'fits, of a list as well',
    },
    {
      file: 'src/auth/server/redirects.ts',
      find: ' <= LENGTH_SUM_MAX;',
      replace: ' <= 1_000_000;',
      name: 'of twenty long addresses is answered',
    },
    {
      file: 'src/auth/rate-limit.ts',
      find: 'wide ? networksOf(address) : [networkOf(address)]',
      replace: '[networkOf(address)]',
      name: 'of one large network are bounded, and of everybody together',
    },
  ]),
  ...of('T41', 'test/remote/auth-attacks.test.ts', [
    {
      file: 'src/auth/server/redirects.ts',
      find: ' || !HOST.test(url.host)',
      name: 'at a host that a policy would take for more than one word is not',
    },
  ]),
  ...of('T41', 'test/remote/open-redirect.test.ts', [
    {
      file: 'src/auth/server/authorize.ts',
      find: 'if (await isVouchedFor(parts, found, { request, from })) return',
      replace: 'if (refused) return',
      name: 'leads nowhere when it is not valid, whoever opens it',
    },
    {
      file: SQL,
      find: '          and g.redirect_host = coalesce(trusts_client.redirect_host, g.redirect_host)) then\n',
      replace: '          ) then\n',
      name: 'leads only where the person sent an answer before',
    },
  ]),
  ...of('T41', 'test/remote/auth-public-fetch.test.ts', [
    {
      file: 'src/auth/public-fetch.ts',
      find: "['untrusted', OPEN_UNTRUSTED_MAX]",
      replace: "['untrusted', OPEN_MAX]",
      name: 'twelve that nobody trusts are fetched at once, and sixteen in all',
    },
    {
      file: 'src/auth/public-fetch.ts',
      find: ', OPEN_NETWORK_MAX]',
      replace: ', OPEN_MAX]',
      name: 'four are fetched at once for one network',
    },
    {
      file: 'src/auth/public-fetch.ts',
      find: "  signal.addEventListener('abort', cancel, { once: true });\n",
      name: 'a name that nobody answers for is given up, and asked about no further',
    },
  ]),
  ...of('T41', 'test/remote/client-documents.test.ts', [
    {
      file: 'src/auth/server/clients.ts',
      find: "      if (error instanceof TooManyFetches) return 'busy';\n",
      name: 'a client is asked to wait, and is found as soon as there is a place',
    },
  ]),
  ...of('T41', 'test/remote/http-access.test.ts', [
    {
      file: 'src/server/http/origin-policy.ts',
      find: 'named !== null && isLoopback(named.hostname) && isLocal',
      replace: 'named !== null && isLocal',
      name: 'are for nobody who comes by the name evil.example',
    },
    {
      file: 'src/server/http/origin-policy.ts',
      find: 'if (config.metricsToken !== undefined) {',
      replace: 'if (config.metricsToken === null) {',
      name: 'are for who has the token alone',
    },
  ]),
]);
