import { of } from './mutant.ts';
import { SQL } from './sql.ts';

/** Threats by who signs in, and to who is signed in. */
export const SIGN_IN = Object.freeze([
  ...of('T9', 'test/remote/sign-in.test.ts', [
    {
      file: 'src/web/sign-in-limit.ts',
      find: 'attempts_max: 5,',
      replace: 'attempts_max: 500,',
      name: 'ends after five tries a minute from an address',
    },
    {
      file: 'src/web/sign-in-limit.ts',
      find: 'attempts_max: 10, window_seconds: QUARTER_HOUR',
      replace: 'attempts_max: 1_000, window_seconds: QUARTER_HOUR',
      name: 'from many networks at one account ends after ten tries',
    },
    {
      file: 'src/web/sign-in-limit.ts',
      find: 'attempts_max: firstTriesMax,',
      replace: 'attempts_max: 1_000,',
      name: 'from many networks at one account ends after ten tries',
    },
    {
      file: 'src/auth/rate-limit.ts',
      find: 'network(4), ',
      replace: 'network(8), ',
      name: 'from many addresses of one network is guessing from one',
    },
    {
      file: 'src/web/login.ts',
      find: "await takeAttempt(web.store, trierOf(web, browserSession), accountOf(web.owner.user_id, 'password'));",
      replace: '{ account: web.owner.user_id, buckets: [] };',
      name: 'ends after five tries a minute from an address',
    },
    {
      file: 'src/auth/login/password.ts',
      find: 'const COST = { N: 2 ** 15,',
      replace: 'const COST = { N: 2 ** 10,',
      name: 'takes as long without a password as with one',
    },
  ]),
  ...of('T9', 'test/remote/identities.test.ts', [
    {
      file: 'src/web/login.ts',
      find: "await takeAttempt(web.store, trierOf(web, browserSession), accountOf(email, 'code'));",
      replace: '{ account: email, buckets: [] };',
      name: 'is asked for five codes a minute from one address, and for no more',
    },
    {
      file: 'src/auth/login/supabase.ts',
      find: '      const { error } = await auth.signInWithOtp({ email, options: { shouldCreateUser: false } });\n      refuseUnavailable(error);\n',
      replace:
        '      const { error } = await auth.signInWithOtp({ email, options: { shouldCreateUser: false } });\n      if (error !== null) throw error;\n',
      name: 'answers the same for an address that may not sign in',
    },
  ]),
  ...of('T9', 'test/remote/auth-secrets.test.ts', [
    {
      file: 'src/auth/secrets.ts',
      find: 'secretOf(kind, randomBytes(RANDOM_BYTES))',
      replace: 'secretOf(kind, Buffer.alloc(RANDOM_BYTES))',
      name: 'has 256 bits that were not there before',
    },
    {
      file: 'src/auth/secrets.ts',
      find: '[workspace, randomBytes(RANDOM_BYTES)]',
      replace: '[workspace, Buffer.alloc(RANDOM_BYTES)]',
      name: 'has 256 bits that were not there before',
    },
  ]),
  ...of('T10', 'test/remote/auth-secrets.test.ts', [
    {
      file: 'src/auth/secrets.ts',
      find: 'timingSafeEqual(a, b);',
      replace: 'a.equals(b);',
      name: 'are compared in a time that does not tell how much of them agrees',
    },
  ]),
  ...of('T10', 'test/remote/sign-in.test.ts', [
    {
      file: 'src/auth/login/password.ts',
      find: 'hash: string | undefined): Promise<boolean> {\n',
      replace: 'hash: string | undefined): Promise<boolean> {\n  if (hash === undefined) return false;\n',
      name: 'takes as long without a password as with one',
    },
  ]),
  ...of('T15', 'test/remote/sign-in.test.ts', [
    {
      file: 'src/web/browser-session.ts',
      find: '/^\\/(?![/\\\\])',
      replace: '/^\\/',
      name: 'is never "//evil.example"',
    },
    {
      file: 'src/web/login.ts',
      find: '  if (sid !== undefined) await store.endSession(hashSecret(sid), {}, from);\n',
      name: 'has a new id at each login',
    },
    { file: 'src/web/cookies.ts', find: '; SameSite=Lax', name: 'is kept as a hash, in a cookie' },
    { file: 'src/web/cookies.ts', find: '; HttpOnly', name: 'is kept as a hash, in a cookie' },
    {
      file: 'src/web/cookies.ts',
      find: "secure ? '; Secure' : ''",
      replace: "''",
      name: 'over https no neighbouring host can set',
    },
    {
      file: 'src/web/cookies.ts',
      find: '`__Host-${',
      replace: '`${',
      name: 'over https no neighbouring host can set',
    },
    {
      file: 'src/web/browser-session.ts',
      find: "{sid ?? ''}",
      replace: "{''}",
      name: 'of before the login does not count after it',
    },
    {
      file: SQL,
      find: 'least(v_session.expires_at, v_session.last_seen_at + make_interval(secs => v_session.idle_seconds)) <= v_now',
      replace: 'v_session.expires_at <= v_now',
      name: 'ends after half a day unused, and after a week',
    },
    {
      file: SQL,
      find: 'least(v_session.expires_at, v_session.last_seen_at + make_interval(secs => v_session.idle_seconds)) <= v_now',
      replace: 'v_session.last_seen_at + make_interval(secs => v_session.idle_seconds) <= v_now',
      name: 'ends after half a day unused, and after a week',
    },
    {
      file: 'src/web/browser-session.ts',
      find: "    !sameHash(form.get('csrf') ?? '', csrf)\n",
      replace: '    false\n',
      name: 'with the token of another browser is refused',
    },
    {
      file: 'src/web/browser-session.ts',
      find: "    (site !== null && site !== 'same-origin' && site !== 'none') ||\n",
      name: 'from another site is refused',
    },
  ]),
  ...of('T15', 'test/remote/account-pages.test.ts', [
    {
      file: 'src/web/flash-message.ts',
      find: 'const isOurs = sameHash(proof, proofOf(browserSession, encoded));',
      replace: 'const isOurs = sameHash(proof, proofOf(browserSession, encoded)) || true;',
      name: 'is not told by a cookie that somebody else put there',
    },
  ]),
  ...of('T28', 'test/remote/account-pages.test.ts', [
    {
      file: 'src/web/account.ts',
      find: 'if (!web.makesTokens || !isFresh(browserSession)) {',
      replace: 'if (!web.makesTokens) {',
      name: 'is made by who has just signed in, in a workspace of theirs',
    },
    {
      file: 'src/web/flash-message.ts',
      find: "  response.headers.append('set-cookie', cookies.erase('outcome'));\n",
      name: 'is made on the account page, shown once, and good for what was ticked',
    },
  ]),
  ...of('T19', 'test/remote/auth-attacks.test.ts', [
    {
      file: SQL,
      find: "(terms ->> 'link_email')::boolean and ",
      name: 'is joined by address only where both verified it',
    },
    {
      file: SQL,
      find: "(terms ->> 'link_email')::boolean and (identity ->> 'email_verified')::boolean",
      replace: "(terms ->> 'link_email')::boolean",
      name: 'is joined by address only where both verified it',
    },
    {
      file: SQL,
      find: "case when v_user is null and not coalesce((terms ->> 'open')::boolean, false) then 'sign_up_closed' end",
      replace: 'null',
      name: 'is for those who were let in',
    },
    {
      file: 'src/auth/login/identity.ts',
      find: 'email_verified !== true || ',
      name: 'is not opened by an address that nobody verified',
    },
    {
      file: SQL,
      find: "i.issuer = identity ->> 'issuer' and ",
      name: 'is of its issuer: the same subject at another one is somebody else',
    },
    {
      file: 'src/auth/login/identity.ts',
      find: ".replace(/^@/, '') === domain",
      replace: ' === domain || domain.endsWith(allowed)',
      name: 'is not opened by an address that nobody verified',
    },
    {
      file: SQL,
      find: "    when invitation.accepted_at is not null then 'invitation_used'\n",
      name: 'is opened by an invitation once, in its time',
    },
    {
      file: SQL,
      find: "    when invitation.expires_at <= app.now() then 'invitation_expired'\n",
      name: 'is opened by an invitation once, in its time',
    },
    {
      file: SQL,
      find: "case when (identity ->> 'email_verified')::boolean then identity ->> 'email' end, v_user",
      replace: "identity ->> 'email', v_user",
      name: 'is opened by an invitation once, in its time',
    },
  ]),
  ...of('T26', 'test/cli/config.test.ts', [
    {
      file: 'src/config.ts',
      find: "const DEFAULT_HOST = '127.0.0.1';",
      replace: "const DEFAULT_HOST = '0.0.0.0';",
      name: 'has defaults for everything',
    },
  ]),
  ...of('T26', 'test/remote/server-attacks.test.ts', [
    {
      file: 'src/server/http/server.ts',
      find: '  if (auth || isLocal) return;\n',
      replace: '  return;\n',
      name: 'is refused without authorization',
    },
  ]),
  ...of('T26', 'test/remote/sign-in.test.ts', [
    {
      file: SQL,
      find: '  delete from app.login_codes c where c.tenant_id = v_code.tenant_id and c.code_hash = v_code.code_hash and c.expires_at > app.now();\n',
      replace:
        '  perform from app.login_codes c where c.tenant_id = v_code.tenant_id and c.code_hash = v_code.code_hash;\n',
      name: 'chooses a password with a link that works once',
    },
    {
      file: SQL,
      find: ' and c.expires_at > app.now();',
      replace: ';',
      name: 'has no use for a link that is too old, or of which there is a newer one',
    },
    {
      file: SQL,
      within: 'public.save_login_code',
      find: '  delete from app.login_codes c where c.tenant_id = v_actor.user_id;\n',
      name: 'has no use for a link that is too old, or of which there is a newer one',
    },
    {
      file: 'src/auth/login/owner.ts',
      find: 'if (!isLoopback(host) || ',
      replace: 'if (',
      name: 'is shown a first link on a terminal of this machine alone',
    },
    {
      file: 'src/auth/login/owner.ts',
      find: '!isLoopback(publicUrl.hostname) || ',
      name: 'is shown a first link on a terminal of this machine alone',
    },
    {
      file: 'src/auth/login/owner.ts',
      find: ' || (await hasPassword(store, owner))) return undefined;',
      replace: ') return undefined;',
      name: 'is shown a first link on a terminal of this machine alone',
    },
  ]),
]);
