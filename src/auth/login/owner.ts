import { isLoopback } from '../../config.ts';
import { DomainError } from '../../errors.ts';
import { mintSecret } from '../secrets.ts';
import type { Person, Store } from '../store.ts';
import { hashPassword, PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN, verifyPassword } from './password.ts';

// The built-in account: one person, whose personal workspace the agents of this machine share.

const LINK_SECONDS = 15 * 60;

export async function hasPassword(store: Store, owner: Person): Promise<boolean> {
  return (await store.getPassword(owner)).password_hash !== undefined;
}

export async function isPassword(store: Store, owner: Person, password: string): Promise<boolean> {
  return verifyPassword(password, (await store.getPassword(owner)).password_hash);
}

/** Sets the password and signs out every browser. Raises invalid_input for one that is too short. */
export async function setPassword(store: Store, owner: Person, password: string): Promise<void> {
  await store.setPassword(await hashPassword(checkedPassword(password)), owner);
}

/** Makes a link, good once and for 15 minutes, whose holder chooses the password. It replaces the previous link. */
export async function createLoginLink(store: Store, owner: Person, publicUrl: URL): Promise<URL> {
  const { secret, hash } = mintSecret('login');
  await store.saveLoginCode({ code_hash: hash, ttl_seconds: LINK_SECONDS }, owner);
  return new URL(`/login/owner?code=${secret}`, publicUrl);
}

/**
 * Makes the link to print at a first run: only while there is no password, and only if server and address are this
 * machine's own. Elsewhere anyone who reads the logs would become the owner.
 */
export async function createFirstLink(
  store: Store,
  owner: Person,
  { host, publicUrl }: { host: string; publicUrl: URL },
): Promise<URL | undefined> {
  if (!isLoopback(host) || !isLoopback(publicUrl.hostname) || (await hasPassword(store, owner))) return undefined;
  return createLoginLink(store, owner, publicUrl);
}

export function checkedPassword(password: string): string {
  if (password.length >= PASSWORD_LENGTH_MIN && password.length <= PASSWORD_LENGTH_MAX) return password;
  throw new DomainError(
    'invalid_input',
    `A password has ${PASSWORD_LENGTH_MIN} to ${PASSWORD_LENGTH_MAX} characters.`,
    { hint: 'Several words are easy to remember and hard to guess.' },
  );
}
