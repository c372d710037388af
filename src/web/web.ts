import type { SignUp } from '../auth/login/identity.ts';
import { createOidcLogin, type OidcLogin } from '../auth/login/oidc.ts';
import { createSupabaseLogin, type SupabaseLogin } from '../auth/login/supabase.ts';
import type { Person, Store } from '../auth/store.ts';
import type { Config } from '../config.ts';
import type { Context } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { Log } from '../log.ts';
import type { Cookies } from './cookies.ts';

/** The configuration and services of the pages. */
export type Web = {
  db: Database;
  blobs: Context['blobs'];
  store: Store;
  log: Log;
  publicUrl: URL;
  cookies: Cookies;
  /** The built-in account. */
  owner: Person;
  supabase: SupabaseLogin | undefined;
  oidc: readonly OidcLogin[];
  signUp: SignUp;
  /** Tells whether tokens are ours: if another server's count, a personal one would open nothing. */
  makesTokens: boolean;
};

/** Lists the ways to sign in that the operator has configured. */
export function waysIn(config: Config): Pick<Web, 'supabase' | 'oidc' | 'signUp'> {
  const url = config.loginSupabaseUrl ?? config.supabaseUrl;
  const key = config.loginSupabaseKey ?? config.supabasePublishableKey;
  const { allowEmails: emails, allowDomains: domains, linkByEmail } = config;
  return {
    supabase: url === undefined || key === undefined ? undefined : createSupabaseLogin({ url, key }),
    oidc: config.oidcProviders.map(createOidcLogin),
    signUp: { emails, domains, linkByEmail },
  };
}
