import { COOKIES } from './pages.ts';
import { isSecret, mintSecret, type SecretKind } from './secrets.ts';

// `txn` tells a browser from others before anybody signed in, `session` is who did, `invitation` what was brought along.
const KINDS = Object.freeze({
  txn: { name: COOKIES.txn, seconds: 86_400 },
  session: { name: COOKIES.session, seconds: 7 * 86_400 },
  invitation: { name: 'invitation', seconds: 3_600 },
} as const satisfies Partial<Record<SecretKind, { name: string; seconds: number }>>);

type CookieKind = keyof typeof KINDS;

/**
 * The cookies of one origin. Over https their names start with `__Host-`, so that no neighbouring host and no plain http can
 * set them (RFC 6265bis, section 4.1.3.2). This machine has no https, and its ports share cookies: there the port is in the name.
 */
export function createCookies(publicUrl: URL) {
  const secure = publicUrl.protocol === 'https:';
  const nameOf = (kind: CookieKind) =>
    secure ? `__Host-${KINDS[kind].name}` : `${KINDS[kind].name}-${publicUrl.port}`;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;

  function read(request: Request, kind: CookieKind): string | undefined {
    const name = nameOf(kind);
    for (const pair of (request.headers.get('cookie') ?? '').split(';')) {
      const [before = '', value = ''] = pair.trim().split('=', 2);
      if (before === name && isSecret(kind, value)) return value;
    }
    return undefined;
  }

  return {
    /** The secret that a cookie holds; undefined for what is none of ours. */
    read,

    /** The secret that tells this browser from others; two programs that ask at once share it. */
    browser: (request: Request): string => read(request, 'txn') ?? mintSecret('txn').secret,

    /** For Set-Cookie. Lax: a program sends the browser here from a page of its own, and the session must come along. */
    write: (kind: CookieKind, secret: string): string =>
      `${nameOf(kind)}=${secret}; Max-Age=${KINDS[kind].seconds}; ${attributes}`,

    erase: (kind: CookieKind): string => `${nameOf(kind)}=; Max-Age=0; ${attributes}`,
  };
}

export type Cookies = ReturnType<typeof createCookies>;
