import { createClient, type SupabaseClient } from '@supabase/supabase-js';

export type Project = { url: string; key: string };

const AUTH_MS_MAX = 10_000;

/** Makes a client that neither stores nor refreshes a session by itself. */
export function projectClient({ url, key }: Project, fetcher: typeof fetch = fetch): SupabaseClient {
  return createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false, flowType: 'pkce' },
    global: { fetch: fetcher },
    // Node.js 20 has no WebSocket, without which the client cannot be made. No channel is ever opened.
    realtime: { transport: EventTarget as never },
  });
}

/** Makes a client for signing in and refreshing: times out, and reports a missing answer as status `408`. */
export function authClient(project: Project): SupabaseClient['auth'] {
  // The client itself would write the failure to standard error and retry for half a minute, while others wait for the
  // lock.
  const bounded: typeof fetch = (input, init) =>
    fetch(input, { ...init, signal: AbortSignal.timeout(AUTH_MS_MAX) }).catch(() =>
      Response.json({ message: 'There was no answer' }, { status: 408 }),
    );
  return projectClient(project, bounded).auth;
}
