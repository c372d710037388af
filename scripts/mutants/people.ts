import { of } from './mutant.ts';

/** Threats to people: what pages show them, and who shows them. */
export const PEOPLE = Object.freeze([
  ...of('T3', 'test/remote/auth-attacks.test.ts', [
    {
      file: 'src/auth/server/client-metadata.ts',
      find: "cleanName(name ?? '', NAME_LENGTH_MAX)",
      replace: "(name ?? '').slice(0, NAME_LENGTH_MAX)",
      name: 'under a name that turns letters round does so without what turns them',
    },
    {
      file: 'src/auth/server/client-metadata.ts',
      find: "cleanName(name ?? '', NAME_LENGTH_MAX)",
      replace: "cleanName(name ?? '', 1_000)",
      name: 'and without what is too long',
    },
  ]),
  ...of('T3', 'test/remote/pages.test.ts', [
    {
      file: 'src/web/html.ts',
      find: 'Array.from(cleanName(value, lengthMax + 1))',
      replace: "Array.from(value.replace(/\\s+/g, ' ').trim())",
      name: 'shows a name of letters that nobody sees as text',
    },
    {
      file: 'src/web/html.ts',
      find: 'clean(String(content))',
      replace: 'String(content)',
      name: 'takes out of what it is given whatever turns letters round',
    },
    {
      file: 'src/web/pages/consent.ts',
      find: 'It gave itself this name. Nobody has verified it.',
      name: 'says that a self-registered program’s name is not verified',
    },
    {
      file: 'src/web/pages/consent.ts',
      find: '<dd><strong class="code">',
      replace: '<dd><span class="code">',
      name: 'and shows it in bold',
    },
    {
      file: 'src/web/html.ts',
      find: 'shown.length > lengthMax ?',
      replace: 'false ?',
      name: 'shows a name of too much as text',
    },
  ]),
  ...of('T14', 'test/remote/pages.test.ts', [
    {
      file: 'src/web/page.ts',
      find: '    "default-src \'none\'",\n',
      name: 'GET /login is locked down',
    },
    { file: 'src/web/page.ts', find: '    "frame-ancestors \'none\'",\n', name: 'GET /login is locked down' },
    { file: 'src/web/page.ts', find: "  'x-frame-options': 'DENY',\n", name: 'GET /login is locked down' },
    { file: 'src/web/page.ts', find: "  'x-content-type-options': 'nosniff',\n", name: 'GET /login is locked down' },
    { file: 'src/web/page.ts', find: "  'referrer-policy': 'no-referrer',\n", name: 'GET /login is locked down' },
    { file: 'src/web/page.ts', find: "  'cache-control': 'no-store',\n", name: 'GET /login is locked down' },
    {
      file: 'src/web/page.ts',
      find: "  'cross-origin-opener-policy': 'same-origin',\n",
      name: 'GET /login is locked down',
    },
    { file: 'src/web/page.ts', find: '    "base-uri \'none\'",\n', name: 'GET /login is locked down' },
    {
      file: 'src/web/page.ts',
      find: "    ...SECURITY_HEADERS,\n    'content-security-policy': contentSecurityPolicy([]),\n",
      name: 'GET / is locked down',
    },
    {
      file: 'src/web/page.ts',
      find: ".join(' ')}`,",
      replace: ".join(' ')} *`,",
      name: 'lets its form lead to the client of the request and nowhere else',
    },
    {
      file: 'src/web/html.ts',
      find: ".replace(/[&<>\"']/g, (character) => ENTITIES[character] ?? '')",
      name: 'shows a name of a script as text',
    },
  ]),
  ...of('T25', 'test/remote/pages.test.ts', [
    {
      file: 'src/web/pages/consent.ts',
      find: '  if (!redirect.local) {\n',
      replace: '  if (true) {\n',
      name: 'warns of an address that any program on the device may listen at',
    },
  ]),
  ...of('T25', 'test/remote/auth-attacks.test.ts', [
    {
      file: 'src/auth/server/redirects.ts',
      find: "form_action: url.hostname.startsWith('[') ? 'http:' : url.origin, local: true",
      replace: "form_action: url.hostname.startsWith('[') ? 'http:' : url.origin, local: false",
      name: 'of a client on the device itself says so',
    },
  ]),
]);
