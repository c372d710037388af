import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** What each kind of secret begins with: scanners recognise it, the log redacts it. */
const PREFIXES = Object.freeze({
  access: 'cairn_at_',
  refresh: 'cairn_rt_',
  code: 'cairn_ac_',
  pat: 'cairn_pat_',
  client: 'cairn_cs_',
  session: 'cairn_se_',
  txn: 'cairn_tx_',
  request: 'cairn_rq_',
  login: 'cairn_lc_',
  invitation: 'cairn_in_',
} as const);

export type SecretKind = keyof typeof PREFIXES;

/** A secret to hand out once, and its SHA-256 in hex, which is all that is stored. */
export type Secret = { secret: string; hash: string };

const SECRET_BYTES = 32;
const ENDING: Readonly<Partial<Record<SecretKind, (body: string) => string>>> = Object.freeze({
  pat: (body: string) => `_${checksum(body)}`,
});

/** 256 random bits behind the prefix of their kind; a personal access token ends in a checksum, so that a typo is known without asking. */
export function mintSecret(kind: SecretKind): Secret {
  const body = `${PREFIXES[kind]}${randomBytes(SECRET_BYTES).toString('base64url')}`;
  const secret = `${body}${ENDING[kind]?.(body) ?? ''}`;
  return { secret, hash: hashSecret(secret) };
}

/** SHA-256 in hex: enough for 256 random bits, which no list of guesses contains. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Whether a text has the form of a secret of the kind, checksum included. */
export function isSecret(kind: SecretKind, text: string): boolean {
  const body = text.slice(0, PREFIXES[kind].length + 43);
  if (!body.startsWith(PREFIXES[kind]) || !/^[\w-]{43}$/.test(body.slice(PREFIXES[kind].length))) return false;
  return text === `${body}${ENDING[kind]?.(body) ?? ''}`;
}

/** Compares in a time that tells nothing. */
export function sameHash(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/**
 * A value that only who holds the cookie's secret can know, different for each purpose: form tokens, the nonce and the PKCE
 * verifier of a login elsewhere. Nothing of it is stored, and there is no server key to rotate.
 */
export function derive(cookieSecret: string, purpose: string): string {
  return createHmac('sha256', cookieSecret).update(purpose).digest('base64url');
}

/** S256 of RFC 7636, section 4.2. */
export function codeChallenge(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url');
}

/** CRC-32 in base 62, six characters. */
function checksum(body: string): string {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  let rest = crc32(body);
  let text = '';
  for (let at = 0; at < 6; at++) {
    text = `${digits[rest % 62]}${text}`;
    rest = Math.floor(rest / 62);
  }
  return text;
}
