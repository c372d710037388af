import type { FunctionName } from './functions.ts';

/** Who acts: a user, through a client, as an agent. */
export type Actor = { user_id: string; tenant_id?: string; agent?: string | null; client?: string | null };

/** The database port: one SQL function, one round trip, whatever the engine. */
export interface Database {
  call<T>(fn: FunctionName, args: Record<string, unknown>, actor: Actor): Promise<T>;
  close(): Promise<void>;
}
