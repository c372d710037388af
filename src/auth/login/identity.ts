import type { Identity } from '../store.ts';

/** Who may have an account without an invitation, and whether a verified address joins an identity to the account that has it. */
export type SignUp = { emails: readonly string[]; domains: readonly string[]; linkByEmail: boolean };

/** Sign-up is closed but for the addresses that the operator named; one that nobody verified counts for nothing. */
export function isAdmitted({ email, email_verified }: Identity, { emails, domains }: SignUp): boolean {
  if (email_verified !== true || email === undefined) return false;
  const address = email.toLowerCase();
  const domain = address.slice(address.lastIndexOf('@') + 1);
  return (
    emails.some((allowed) => allowed.toLowerCase() === address) ||
    domains.some((allowed) => allowed.toLowerCase().replace(/^@/, '') === domain)
  );
}
