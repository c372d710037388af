import type { Identity } from '../store.ts';

/** Decides who gets an account without invitation, and whether a verified address joins an identity to its account. */
export type SignUp = { emails: readonly string[]; domains: readonly string[]; linkByEmail: boolean };

/** Admits only the addresses and domains that the operator named, and only verified addresses. */
export function isAdmitted({ email, email_verified }: Identity, { emails, domains }: SignUp): boolean {
  if (email_verified !== true || email === undefined) return false;
  const address = email.toLowerCase();
  const domain = address.slice(address.lastIndexOf('@') + 1);
  return (
    emails.some((allowed) => allowed.toLowerCase() === address) ||
    domains.some((allowed) => allowed.toLowerCase().replace(/^@/, '') === domain)
  );
}
