import { createClient, type SupabaseClient } from '@supabase/supabase-js';

export type Project = { url: string; key: string };

/** A client that keeps and refreshes nothing by itself. */
export function projectClient({ url, key }: Project): SupabaseClient {
  return createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false, flowType: 'pkce' },
    // Node.js 20 has no WebSocket, without which the client refuses to be made. No channel is ever opened.
    realtime: { transport: EventTarget as never },
  });
}
