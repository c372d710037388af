import { createClient, type SupabaseClient } from '@supabase/supabase-js';

export type Project = { url: string; key: string };

const AUTH_MS_MAX = 10_000;

/** A client that keeps and refreshes nothing by itself. */
export function projectClient({ url, key }: Project, fetcher: typeof fetch = fetch): SupabaseClient {
  return createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false, flowType: 'pkce' },
    global: { fetch: fetcher },
    // Node.js 20 has no WebSocket, without which the client refuses to be made. No channel is ever opened.
    realtime: { transport: EventTarget as never },
  });
}

/** For signing in and refreshing: gives up in time, and tells of a missing answer as of an answer, `408`. */
export function authClient(project: Project): SupabaseClient['auth'] {
  // The client itself would write the failure to standard error and try for half a minute, while others wait for the lock.
  const bounded: typeof fetch = (input, init) =>
    fetch(input, { ...init, signal: AbortSignal.timeout(AUTH_MS_MAX) }).catch(() =>
      Response.json({ message: 'There was no answer' }, { status: 408 }),
    );
  return projectClient(project, bounded).auth;
}
