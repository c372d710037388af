import * as z from 'zod';
import { sqlFunction } from '../db/sql-function.ts';
import { word } from '../text.ts';
import { idListedBy } from './listed-id.ts';
import { page } from './pagination.ts';

/** What is on the audit trail: agents, commands and what interferes with them, people, and what was removed by age. */
export const AUDIT_KINDS = [
  ...['agent_connect', 'agent_disconnect'],
  ...['command_sent', 'command_delivered', 'command_interrupted', 'command_expired', 'command_completed'],
  ...['approval_requested', 'approval_decided'],
  ...['emergency_stop', 'token_limit_exceeded', 'time_limit_exceeded'],
  ...['preset_created', 'preset_used'],
  ...['user_login', 'user_logout'],
  'retention_run',
] as const;

const Time = z.iso.datetime({ offset: true }).max(40);

export const ListAudit = z.strictObject({
  kind: z.enum(AUDIT_KINDS).optional(),
  person: word(320).optional().describe('a member, by name, address of mail or id'),
  agent: word(100).optional(),
  command: idListedBy('list_commands').optional(),
  since: Time.optional(),
  until: Time.optional(),
  ...page(50, 200),
});

const AuditEntry = z.object({
  id: z.string(),
  at: z.string(),
  kind: z.string(),
  user_id: z.string().optional(),
  user: z.string().optional(),
  agent_id: z.string().optional(),
  agent: z.string().optional(),
  command: z.string().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
  ip: z.string().optional(),
  /** The program that it came through, as it calls itself. */
  program: z.string().optional(),
});
export type AuditEntry = z.infer<typeof AuditEntry>;

/** Lists the audit trail, newest first. */
export const listAudit = sqlFunction(
  'list_audit',
  z.object({ entries: z.array(AuditEntry), next_cursor: z.string().optional() }),
);
