import type { AuthError } from '@supabase/supabase-js';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { authClient, type Project } from '../../db/supabase/client.ts';
import { DomainError } from '../../errors.ts';
import type { Identity } from '../store.ts';

/** Supabase Auth, called only by this server: the browser sees neither its keys nor its tokens. */
export function createSupabaseLogin(project: Project) {
  const issuer = `${project.url.replace(/\/$/, '')}/auth/v1`;
  const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`), {
    cooldownDuration: 30_000,
    cacheMaxAge: 600_000,
  });

  return {
    /** Has a code sent. An address without an account gets none, and the answer does not tell. */
    async sendCode(email: string): Promise<void> {
      const auth = authClient(project);
      const { error } = await auth.signInWithOtp({ email, options: { shouldCreateUser: false } });
      refuseUnavailable(error);
    },

    /**
     * Returns the identity of the person who typed the code of the e-mail, or null. Ends the session at Supabase at
     * once and keeps only the identity.
     */
    async verifyCode(email: string, code: string): Promise<Identity | null> {
      const auth = authClient(project);
      const { data, error } = await auth.verifyOtp({ email, token: code, type: 'email' });
      refuseUnavailable(error);
      if (error !== null || data.session === null) return null;
      // Fixed algorithms, none symmetric: a public key must never be taken for the secret of an HMAC.
      const { payload } = await jwtVerify(data.session.access_token, keys, {
        issuer,
        audience: 'authenticated',
        algorithms: ['ES256', 'RS256', 'EdDSA'],
        requiredClaims: ['sub'],
      });
      await auth.signOut({ scope: 'local' });
      const { sub: subject = '', email: address } = payload;
      return {
        issuer: 'supabase',
        subject,
        email: typeof address === 'string' ? address : email,
        email_verified: true,
      };
    },
  };
}

export type SupabaseLogin = ReturnType<typeof createSupabaseLogin>;

function refuseUnavailable(error: AuthError | null): void {
  if (error === null || (error.name !== 'AuthRetryableFetchError' && (error.status ?? 0) < 500 && error.status !== 429))
    return;
  throw new DomainError('unavailable', 'Supabase Auth cannot be reached right now.', {
    hint: 'Try again in a minute.',
    cause: error,
  });
}
