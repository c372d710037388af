import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

// OWASP's cost for scrypt: 32 MiB and some 100 ms of one core.
const COST = { N: 2 ** 15, r: 8, p: 3 };
const MEMORY_MAX = 128 * 2 ** 15 * 8 * 2;
const KEY_BYTES = 32;
const SALT_BYTES = 16;

export const PASSWORD_LENGTH_MIN = 12;
export const PASSWORD_LENGTH_MAX = 200;

/**
 * A PHC string: `$scrypt$ln=15,r=8,p=3$salt$key`. Unicode is folded, so that every keyboard types the same password.
 */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const key = await derive(password.normalize('NFKC'), salt, KEY_BYTES, { ...COST, maxmem: MEMORY_MAX });
  return `$scrypt$ln=${Math.log2(COST.N)},r=${COST.r},p=${COST.p}$${salt.toString('base64url')}$${key.toString('base64url')}`;
}

// The hash to compare with when there is no password: the time must tell nothing.
const NO_HASH = `$scrypt$ln=15,r=8,p=3$${'A'.repeat(22)}$${'A'.repeat(43)}`;

/** Takes equally long with and without a password. */
export async function verifyPassword(password: string, hash: string | undefined): Promise<boolean> {
  const [, ln, r, p, salt, key] =
    /^\$scrypt\$ln=(\d+),r=(\d+),p=(\d+)\$([\w-]+)\$([\w-]+)$/.exec(hash ?? NO_HASH) ?? [];
  if (salt === undefined || key === undefined) throw new Error('The stored password hash is not one of ours.');
  const expected = Buffer.from(key, 'base64url');
  const cost = { N: 2 ** Number(ln), r: Number(r), p: Number(p), maxmem: MEMORY_MAX };
  const given = await derive(password.normalize('NFKC'), Buffer.from(salt, 'base64url'), expected.length, cost);
  return timingSafeEqual(given, expected) && hash !== undefined;
}
