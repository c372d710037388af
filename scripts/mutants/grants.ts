import { of } from './mutant.ts';
import { SQL } from './sql.ts';

/** Threats to requests and consents, and by who was granted something. */
export const GRANTS = Object.freeze([
  ...of('T1', 'test/remote/auth-attacks.test.ts', [
    {
      file: SQL,
      find: "    when request.txn_hash is distinct from find_authorization.txn_hash then 'other_browser'\n",
      name: 'that began in one browser opens in no other',
    },
    {
      file: SQL,
      find: "    when request.user_id <> find_authorization.user_id then 'other_user'\n",
      name: 'that one person opened is answered by no other',
    },
    {
      file: 'src/auth/server/consent.ts',
      find: "    !sameHash(form.get('csrf') ?? '', browserSession.csrf) ||\n",
      name: 'is not granted by a form without the token of its page',
    },
    {
      file: SQL,
      find: '  delete from app.authorization_requests r where r.tenant_id = v_request.tenant_id and r.request_hash = v_request.request_hash;\n',
      name: 'asks every time, and is granted once',
    },
    {
      file: 'src/auth/server/consent.ts',
      find: "    site !== 'same-origin' ||\n",
      name: 'is not granted by a form without the token of its page',
    },
    {
      file: SQL,
      find: ' or request.expires_at <= app.now()',
      name: 'is over when nobody has answered it in time',
    },
  ]),
  ...of('T1', 'test/remote/identities.test.ts', [
    {
      file: SQL,
      find: ' and l.txn_hash = take_login.txn_hash',
      name: 'cannot sign one browser in with what another brought back',
    },
    {
      file: SQL,
      find: '\n    and l.expires_at > app.now() returning l.*',
      replace: ' returning l.*',
      name: 'is not waited for longer than ten minutes',
    },
    {
      file: SQL,
      find: 'delete from app.login_states l where l.tenant_id = v_actor.tenant_id and l.state_hash = take_login.state_hash and l.txn_hash = take_login.txn_hash\n    and l.expires_at > app.now() returning l.* into v_login;',
      replace:
        'select l.* into v_login from app.login_states l where l.tenant_id = v_actor.tenant_id and l.state_hash = take_login.state_hash and l.txn_hash = take_login.txn_hash;',
      name: 'is believed once',
    },
  ]),
  ...of('T2', 'test/remote/auth-attacks.test.ts', [
    {
      file: 'src/auth/server/redirects.ts',
      find: '    registered.includes(uri) ||',
      replace: '    true ||',
      name: 'to be answered at https://evil.example/cb is not sent there',
    },
    {
      file: 'src/auth/server/redirects.ts',
      find: 'portless(known) === portless(uri)',
      replace: 'LOOPBACK.test(known)',
      name: 'to be answered at http://localhost:8976/other is not sent there',
    },
  ]),
  ...of('T2', 'test/remote/auth-flow.test.ts', [
    {
      file: 'src/auth/server/redirects.ts',
      find: "return url.protocol === 'https:' ? uri.startsWith('https://') : LOOPBACK.test(uri);",
      replace: 'return true;',
      name: 'one redirect that is not acceptable does not spoil the others',
    },
  ]),
  ...of('T5', 'test/remote/auth-attacks.test.ts', [
    {
      file: 'src/auth/server/authorize.ts',
      find: ', iss: issuer })',
      replace: ' })',
      name: 'that is refused names who refused it (RFC 9207)',
    },
  ]),
  ...of('T5', 'test/remote/auth-flow.test.ts', [
    { file: 'src/auth/server/authorize.ts', find: ', iss: issuer })', replace: ' })', name: 'oauth4webapi' },
  ]),
  ...of('T17', 'test/remote/auth-attacks.test.ts', [
    {
      file: SQL,
      find: "not string_to_array(decision ->> 'scope', ' ') <@ string_to_array(v_request.scope, ' ') or ",
      name: 'grants no more than it asked for',
    },
    {
      file: 'src/auth/scopes.ts',
      find: "scope !== RUNNER_SCOPE && (scope !== 'admin' || allowAdmin)",
      replace: 'scope !== RUNNER_SCOPE',
      name: 'to administer is made in vain unless the operator allows it',
    },
    {
      file: SQL,
      find: "\n      when 'admin' = any (string_to_array(decision ->> 'scope', ' ')) and app.role_rank(v_actor.role) < app.role_rank('admin') then 'role' end;",
      replace: ' end;',
      name: 'to administer is made in vain unless the operator allows it',
    },
  ]),
  ...of('T17', 'test/remote/server-attacks.test.ts', [
    {
      file: 'src/auth/scopes.ts',
      find: "granted.has(name) && (name !== 'admin' || isAdmin)",
      replace: 'granted.has(name)',
      name: 'administers only while its user is an administrator',
    },
    {
      file: SQL,
      find: "if actor ? 'proof' then",
      replace: 'if false then',
      name: 'is refused with a call that changes something',
    },
    {
      file: 'src/server/http/mcp.ts',
      find: 'verdict === undefined || verdict.holds() ? answer : ',
      replace: 'true ? answer : ',
      name: 'is refused with a call with arguments that are not valid',
    },
    {
      file: 'src/server/http/mcp.ts',
      find: 'cached === undefined || isProvingCall(request, body, this.#scopes) ? first : await ask()',
      replace: 'first',
      name: 'is asked about again for what hangs on a role',
    },
    {
      file: SQL,
      find: "    perform app.require_role(v_actor, 'admin', 'A token with the scope admin');\n",
      replace: '    null;\n',
      name: 'administers only while its user is an administrator',
    },
  ]),
  ...of('T17', 'test/remote/refresh.test.ts', [
    {
      file: SQL,
      find: "    when not string_to_array(v_scope, ' ') <@ string_to_array(v_grant.scope, ' ') then 'scope'\n",
      name: 'is good for a hundred siblings and no more, within the scope that was granted',
    },
    {
      file: SQL,
      find: "        when m.role is null then 'not_a_member'\n",
      name: 'and its access token end in their time, and with the membership',
    },
  ]),
  ...of('T17', 'test/remote/access.test.ts', [
    {
      file: SQL,
      find: 'v_bearer.user_id is distinct from acting.user_id or ',
      name: 'proves its own user within a call, and no other member',
    },
    {
      file: SQL,
      find: '  acting.project_id := v_bearer.project_id;\n',
      name: 'may be limited to a project: its proof holds it there',
    },
    {
      file: SQL,
      find: '    if v_project.id is not null then\n',
      replace: '    if false then\n',
      name: 'may be limited to a project: its proof holds it there',
    },
    {
      file: 'src/auth/resource/bearer.ts',
      find: '...(project_id !== undefined && { project_id }),',
      name: 'reaches no other with any tool',
    },
  ]),
  ...of('T17', 'test/contract/limited-tokens.test.ts', [
    {
      file: SQL,
      find: '  if app.project_of_rows(name) is not null then\n',
      replace: '  if false then\n',
      name: 'another one is as if it were not there',
    },
    {
      file: SQL,
      find: '  if actor.project_id is not null then\n',
      replace: '  if false then\n',
      name: 'what concerns more than the project is forbidden',
    },
    {
      file: SQL,
      find: 'and k.key = v_name;',
      replace: "and k.key = command ->> 'key';",
      name: 'no answer is had that a key got beyond the project',
    },
    {
      file: SQL,
      find: "nullif(set_config('app.project_id', coalesce(v_actor.project_id::text, ''), true), '');",
      replace:
        "nullif(set_config('app.project_id', coalesce(v_actor.project_id::text, current_setting('app.project_id', true), ''), true), '');",
      name: 'nothing of the limit is left for a later call',
    },
    {
      file: SQL,
      find: "coalesce(app.as_uuid(actor ->> 'project_id'), app.get_nil_id()) end;",
      replace: "app.as_uuid(actor ->> 'project_id') end;",
      name: 'a project that is none is no project',
    },
  ]),
  ...of('T17', 'test/remote/http-access.test.ts', [
    {
      file: 'src/server/http/mcp.ts',
      find: '    if (needed.some((scope) => !mayUse(principal.scopes, scope))) return this.#parts.access.challenge(needed);\n',
      name: 'acts with the rights of each request',
    },
  ]),
]);
