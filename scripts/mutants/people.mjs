import { of, sql } from './mutant.mjs';

/** Threats to people: how they sign in, and what their pages show. */
export const PEOPLE = Object.freeze([
  ...of('T3', 'test/auth-attacks.test.ts', [
    {
      file: 'src/auth/client-metadata.ts',
      find: ".replace(UNSEEN, '')",
      name: 'a name that turns letters round is registered without what turns them',
    },
  ]),
  ...of('T3', 'test/pages.test.ts', [
    {
      file: 'src/web/html.ts',
      find: ".replace(DECEPTIVE, '')",
      name: 'shows a name of letters that turn others round as text',
    },
    {
      file: 'src/web/pages/consent.ts',
      find: 'It gave itself this name. Nobody has verified it.',
      name: 'says that a self-registered program’s name is not verified',
    },
  ]),
  ...of('T9', 'test/sign-in.test.ts', [
    {
      file: 'src/web/rate.ts',
      find: 'attempts_max: 5,',
      replace: 'attempts_max: 500,',
      name: 'ends after five tries a minute from an address',
    },
    {
      file: 'src/web/rate.ts',
      find: 'if (account !== undefined) limits.push(',
      replace: 'if (account === null) limits.push(',
      name: 'from many networks at one account ends after ten tries',
    },
    {
      file: 'src/auth/rates.ts',
      find: '.slice(0, 4)',
      name: 'from many addresses of one network is guessing from one',
    },
  ]),
  ...of('T10', 'test/sign-in.test.ts', [
    {
      file: 'src/auth/login/password.ts',
      find: 'hash: string | undefined): Promise<boolean> {\n',
      replace: 'hash: string | undefined): Promise<boolean> {\n  if (hash === undefined) return false;\n',
      name: 'takes as long without a password as with one',
    },
  ]),
  ...of('T11', 'test/identities.test.ts', [
    {
      file: 'src/auth/login/oidc.ts',
      find: '  await oauth.validateApplicationLevelSignature(server, response, requestOptions(provider));\n',
      name: 'whose answer has a wrong signature signs nobody in',
    },
  ]),
  ...of('T14', 'test/pages.test.ts', [
    {
      file: 'src/web/page.ts',
      find: '    "default-src \'none\'",\n',
      name: 'GET /login is locked down',
    },
    { file: 'src/web/page.ts', find: '    "frame-ancestors \'none\'",\n', name: 'GET /login is locked down' },
    { file: 'src/web/page.ts', find: "  'x-frame-options': 'DENY',\n", name: 'GET /login is locked down' },
    { file: 'src/web/page.ts', find: "  'x-content-type-options': 'nosniff',\n", name: 'GET /login is locked down' },
    { file: 'src/web/page.ts', find: "  'referrer-policy': 'no-referrer',\n", name: 'GET /login is locked down' },
    {
      file: 'src/web/page.ts',
      find: ".join(' ')}`,",
      replace: ".join(' ')} *`,",
      name: 'lets its form lead to the client of the request and nowhere else',
    },
    {
      file: 'src/web/html.ts',
      find: '.replace(/[&<>"\']/g, (character) => ENTITIES[character] as string)',
      name: 'shows a name of a script as text',
    },
  ]),
  ...of('T15', 'test/sign-in.test.ts', [
    { file: 'src/web/visit.ts', find: '/^\\/(?![/\\\\])', replace: '/^\\/', name: 'is never "//evil.example"' },
    {
      file: 'src/web/login.ts',
      find: '  if (sid !== undefined) await store.endSession(hashSecret(sid), {}, from);\n',
      name: 'has a new id at each login',
    },
    { file: 'src/auth/cookies.ts', find: '; SameSite=Lax', name: 'is kept as a hash, in a cookie' },
    {
      file: 'src/web/visit.ts',
      find: "    !sameHash(form.get('csrf') ?? '', csrf)\n",
      replace: '    false\n',
      name: 'with the token of another browser is refused',
    },
    {
      file: 'src/web/visit.ts',
      find: "    (site !== null && site !== 'same-origin' && site !== 'none') ||\n",
      name: 'from another site is refused',
    },
  ]),
  ...of('T19', 'test/auth-attacks.test.ts', [
    {
      file: sql('1540_accounts'),
      find: "(terms ->> 'link_email')::boolean and ",
      name: 'is joined by address only where both verified it',
    },
    {
      file: sql('1540_accounts'),
      find: "(terms ->> 'link_email')::boolean and (identity ->> 'email_verified')::boolean",
      replace: "(terms ->> 'link_email')::boolean",
      name: 'is joined by address only where both verified it',
    },
    {
      file: sql('1540_accounts'),
      find: "case when v_user is null and not coalesce((terms ->> 'open')::boolean, false) then 'sign_up_closed' end",
      replace: 'null',
      name: 'is for those who were let in',
    },
    {
      file: 'src/auth/login/identity.ts',
      find: 'email_verified !== true || ',
      name: 'is not opened by an address that nobody verified',
    },
  ]),
  ...of('T25', 'test/pages.test.ts', [
    {
      file: 'src/web/pages/consent.ts',
      find: '  if (!redirect.local) {\n',
      replace: '  if (true) {\n',
      name: 'warns of an address that any program on the device may listen at',
    },
  ]),
  ...of('T25', 'test/auth-attacks.test.ts', [
    {
      file: 'src/auth/redirects.ts',
      find: "form_action: url.hostname.startsWith('[') ? 'http:' : url.origin, local: true",
      replace: "form_action: url.hostname.startsWith('[') ? 'http:' : url.origin, local: false",
      name: 'of a client on the device itself says so',
    },
  ]),
  ...of('T26', 'test/auth-door.test.ts', [
    {
      file: 'src/server/http.ts',
      find: '  if (auth || isLocal) return;\n',
      replace: '  return;\n',
      name: 'is refused without authorization',
    },
  ]),
  ...of('T26', 'test/sign-in.test.ts', [
    {
      file: sql('1540_accounts'),
      find: '  delete from app.login_codes c where c.tenant_id = v_code.tenant_id and c.code_hash = v_code.code_hash and c.expires_at > app.now();\n',
      replace:
        '  perform from app.login_codes c where c.tenant_id = v_code.tenant_id and c.code_hash = v_code.code_hash;\n',
      name: 'chooses a password with a link that works once',
    },
  ]),
]);
