import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { PREFIXES } from '../secret-prefixes.ts';

/**
 * Secrets that act in a workspace begin with its id, so that only this workspace is queried: one shard in a sharded
 * database.
 */
const WORKSPACE_KINDS = Object.freeze(['access', 'refresh', 'code', 'pat'] as const);

type WorkspaceKind = (typeof WORKSPACE_KINDS)[number];
export type SecretKind = keyof typeof PREFIXES;

/** A secret to hand out once, and its SHA-256 in hex: only the hash is stored. */
export type Secret = { secret: string; hash: string };

/** The hash that the database gets of a workspace's secret. */
export type CredentialHash = { hash: string; tenant_id: string };

const RANDOM_BYTES = 32;
const WORKSPACE_BYTES = 16;
const ENDING: Readonly<Partial<Record<SecretKind, (body: string) => string>>> = Object.freeze({
  pat: (body: string) => `_${checksum(body)}`,
});

/** Makes a secret: 256 random bits behind the prefix of its kind. */
export function mintSecret(kind: Exclude<SecretKind, WorkspaceKind>): Secret {
  return secretOf(kind, randomBytes(RANDOM_BYTES));
}

/**
 * Makes a secret behind the id of a workspace. A personal access token ends in a checksum, so that a typo costs no
 * query.
 */
export function mintWorkspaceSecret(kind: WorkspaceKind, tenant_id: string): Secret {
  const workspace = Buffer.from(tenant_id.replaceAll('-', ''), 'hex');
  return secretOf(kind, Buffer.concat([workspace, randomBytes(RANDOM_BYTES)]));
}

function secretOf(kind: SecretKind, bytes: Buffer): Secret {
  const body = `${PREFIXES[kind]}${bytes.toString('base64url')}`;
  const secret = `${body}${ENDING[kind]?.(body) ?? ''}`;
  return { secret, hash: hashSecret(secret) };
}

/** Returns the hash to look up for a secret of one of these kinds; undefined for any other form. */
export function credentialHash(kinds: readonly WorkspaceKind[], text: string): CredentialHash | undefined {
  const kind = kinds.find((each) => isSecret(each, text));
  if (kind === undefined) return undefined;
  const bytes = Buffer.from(text.slice(PREFIXES[kind].length, lengthOf(kind)), 'base64url');
  const workspace = bytes.toString('hex', 0, WORKSPACE_BYTES);
  return { hash: hashSecret(text), tenant_id: workspace.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') };
}

/** SHA-256 in hex: enough for 256 random bits, which no list of guesses contains. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Tells whether a text has the form of a secret of the kind, checksum included. */
export function isSecret(kind: SecretKind, text: string): boolean {
  const body = text.slice(0, lengthOf(kind));
  if (body.length < lengthOf(kind) || !body.startsWith(PREFIXES[kind]) || !/^[\w-]+$/.test(body)) return false;
  return text === `${body}${ENDING[kind]?.(body) ?? ''}`;
}

/** The length of the prefix and the bytes in base64url. */
function lengthOf(kind: SecretKind): number {
  const workspace = WORKSPACE_KINDS.some((known) => known === kind) ? WORKSPACE_BYTES : 0;
  return PREFIXES[kind].length + Math.ceil(((workspace + RANDOM_BYTES) * 4) / 3);
}

/** Compares in constant time. */
export function sameHash(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/**
 * Derives a value that only the holder of the cookie's secret can know, different for each purpose: form tokens, the
 * nonce and the PKCE verifier of an external login. Nothing is stored, and there is no server key to rotate.
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
