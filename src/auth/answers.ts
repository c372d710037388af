import * as z from 'zod';
import { ROLES } from '../services/access.ts';

/** What the SQL functions of authorization answer, as far as several places read it. */

export const Client = z.object({
  client_id: z.string(),
  kind: z.enum(['static', 'dcr', 'cimd']),
  client_name: z.string(),
  client_uri: z.string().optional(),
  redirect_uris: z.array(z.string()),
  token_endpoint_auth_method: z.enum(['none', 'client_secret_basic', 'client_secret_post']),
  application_type: z.enum(['web', 'native']).optional(),
  client_secret_hash: z.string().optional(),
  created_at: z.string(),
  fetched_at: z.string().optional(),
  fresh_until: z.string().optional(),
  authorized_at: z.string().optional(),
  last_used_at: z.string().optional(),
});
export type Client = z.infer<typeof Client>;

export const Role = z.enum(ROLES);
export type Role = z.infer<typeof Role>;

export const Workspace = z.object({ tenant_id: z.string(), name: z.string(), role: Role });
export type Workspace = z.infer<typeof Workspace>;

export const Session = z.object({
  user_id: z.string(),
  name: z.string(),
  email: z.string().optional(),
  /** How the person proved who they are (RFC 8176). */
  amr: z.array(z.string()),
  auth_at: z.string(),
  expires_at: z.string(),
  workspaces: z.array(Workspace),
});
export type Session = z.infer<typeof Session>;

export const AuthorizationRequest = z.object({
  client_id: z.string(),
  redirect_uri: z.string(),
  scope: z.string(),
  resource: z.string(),
  state: z.string().optional(),
  expires_at: z.string(),
});
export type AuthorizationRequest = z.infer<typeof AuthorizationRequest>;

/** A valid access token; `scope` is what was granted, `role` the user's current one. */
export const LiveToken = z.object({
  token_id: z.string(),
  grant_id: z.string().optional(),
  kind: z.enum(['oauth', 'pat']),
  user_id: z.string(),
  tenant_id: z.string(),
  role: Role,
  scope: z.string(),
  resource: z.string(),
  /** The only project that it reaches. */
  project_id: z.string().optional(),
  /** The only agent that it drives. */
  agent: z.string().optional(),
  client_id: z.string(),
  client_name: z.string().optional(),
  expires_at: z.string(),
});
export type LiveToken = z.infer<typeof LiveToken>;

/** A new pair of tokens. */
export const Issued = z.object({
  token_id: z.string(),
  scope: z.string(),
  resource: z.string(),
  expires_in: z.int(),
});
export type Issued = z.infer<typeof Issued>;

/** A refusal that is an answer, and says why. */
export function refused<const Why extends string>(...whys: Why[]) {
  return z.object({ refused: z.enum(whys) });
}
export type Refused<Why extends string> = { refused: Why };

/** The answer of a function that has nothing to tell. */
export const Nothing = z.strictObject({});

/** What is found, or undefined where the function answers {}. */
export function found<Found extends z.ZodType>(schema: Found) {
  return z.union([schema, Nothing.transform(() => undefined)]);
}
