import { isSecret, mintSecret, type SecretKind } from '../auth/secrets.ts';
import { COOKIES } from '../auth/server/views.ts';

/** How long a session may last, and how long a browser is remembered after somebody signed in there. */
export const SESSION_SECONDS = 7 * 86_400;
export const BROWSER_SECONDS = 90 * 86_400;

// `txn` tells a browser from others before anybody signs in, `session` names the person, `browser` shows that somebody
// signed in here before, `invitation` holds the code.
const SECRET = Object.freeze({
  txn: { name: COOKIES.txn, seconds: 86_400 },
  session: { name: COOKIES.session, seconds: SESSION_SECONDS },
  browser: { name: 'browser', seconds: BROWSER_SECONDS },
  invitation: { name: 'invitation', seconds: 3_600 },
} as const satisfies Partial<Record<SecretKind, { name: string; seconds: number }>>);
// `outcome` holds a form's result until the next page shows it.
const KINDS = Object.freeze({ ...SECRET, outcome: { name: 'outcome', seconds: 60 } } as const);

/**
 * The cookies of one origin. Over https their names start with `__Host-`, so that no neighbouring host and no plain
 * http can set them (RFC 6265bis, section 4.1.3.2). This machine has no https, and its ports share cookies: there the
 * port is in the name.
 */
export function createCookies(publicUrl: URL) {
  const secure = publicUrl.protocol === 'https:';
  const nameOf = (kind: keyof typeof KINDS) =>
    secure ? `__Host-${KINDS[kind].name}` : `${KINDS[kind].name}-${publicUrl.port}`;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;

  function find(request: Request, kind: keyof typeof KINDS, isRight: (value: string) => boolean): string | undefined {
    const name = nameOf(kind);
    for (const pair of (request.headers.get('cookie') ?? '').split(';')) {
      const [before = '', value = ''] = pair.trim().split('=', 2);
      if (before === name && isRight(value)) return value;
    }
    return undefined;
  }

  function read(request: Request, kind: keyof typeof SECRET): string | undefined {
    return find(request, kind, (value) => isSecret(kind, value));
  }

  return {
    /** Reads a cookie's secret; undefined if it is none of ours. */
    read,

    /** Reads a form's result; the caller must check that it is ours. */
    outcome: (request: Request): string | undefined => find(request, 'outcome', (value) => value !== ''),

    /** The secret that tells this browser from others; two programs that ask at once share it. */
    browser: (request: Request): string => read(request, 'txn') ?? mintSecret('txn').secret,

    /** Formats Set-Cookie. Lax: a program sends the browser here from its own page, and the session must come along. */
    write: (kind: keyof typeof KINDS, value: string): string =>
      `${nameOf(kind)}=${value}; Max-Age=${KINDS[kind].seconds}; ${attributes}`,

    erase: (kind: keyof typeof KINDS): string => `${nameOf(kind)}=; Max-Age=0; ${attributes}`,
  };
}

export type Cookies = ReturnType<typeof createCookies>;
