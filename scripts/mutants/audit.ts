import { of, refusals } from './mutant.ts';
import { SQL } from './sql.ts';

const SUITE = 'test/core/audit.test.ts';
const ACCESS_SUITE = 'test/core/audit-access.test.ts';
const MEMBER = 'a member sees the log, and of sign-ins, addresses and agents that come and go its own alone';
const FORGED = 'nobody writes or erases an entry, nor imports one';
const BEATS = 'that beats enters nothing, however long';

/** Mutants of the audit trail: who sees what of it, what is entered, and that nothing else is. */
export const AUDIT = Object.freeze([
  ...refusals('core', ACCESS_SUITE, [
    {
      within: 'public.list_audit',
      find: 'app.refuse_limited',
      name: 'an admin sees all, a stranger nothing, and a token of one project is refused',
    },
  ]),
  ...refusals('core', SUITE, [
    {
      within: 'app.find_member',
      find: 'is no member of this workspace',
      name: 'is asked by kind, person, agent, command and time, together too',
    },
  ]),
  ...of('core', SUITE, [
    {
      file: SQL,
      within: 'public.list_audit',
      find: "greatest(since, app.now() - interval '30 days')",
      replace: "coalesce(since, '-infinity')",
      name: 'goes back thirty days, and the log further',
    },
  ]),
  ...of('core', ACCESS_SUITE, [
    {
      file: SQL,
      within: 'app.enter_connect',
      find: 'if goes_on and agent.seen_at is not null',
      replace: 'if false and agent.seen_at is not null',
      name: BEATS,
    },
    {
      file: SQL,
      within: 'app.enter_disconnect',
      find: 'if agent.seen_at is not null and agent.disconnected_at is null then',
      replace: 'if agent.seen_at is not null then',
      name: 'that missed its beats is gone when the job notices, and there when it beats again',
    },
  ]),
  ...of('T60', ACCESS_SUITE, [
    {
      file: SQL,
      within: 'public.list_audit',
      find: "app.role_rank(v_actor.role) >= app.role_rank('admin')",
      replace: 'true',
      name: MEMBER,
    },
    {
      file: SQL,
      within: 'app.audited_besides',
      find: '(question.everyone or a.user_id = question.caller)',
      replace: 'true',
      name: MEMBER,
    },
    {
      file: SQL,
      within: 'app.audited_besides',
      find: '(question.everyone or u.user_id = question.caller)',
      replace: 'true',
      name: MEMBER,
    },
    { file: SQL, find: 'on public.audit_entries as restrictive', replace: 'on public.audit_entries', name: MEMBER },
    {
      file: SQL,
      find: 'using (tenant_id in (select app.my_tenants()) and (user_id = (select auth.uid()) or tenant_id in (',
      replace: 'using (tenant_id in (select app.my_tenants()) and (true or tenant_id in (',
      name: MEMBER,
    },
  ]),
  ...of('T61', ACCESS_SUITE, [
    {
      file: SQL,
      within: 'app.find_records',
      find: "and r.table_name <> 'audit_entries'",
      name: FORGED,
    },
    {
      file: SQL,
      within: 'public.list_record_parts',
      find: "where r.table_name <> 'audit_entries'",
      name: FORGED,
    },
    {
      file: SQL,
      find: "app.define_records('audit_entries', 'month', keep_days => 30)",
      replace: "app.define_records('audit_entries', 'month', keep_days => 30, appended => false)",
      name: FORGED,
    },
    {
      file: SQL,
      within: 'app.authenticate',
      find: "actor ? 'ip' and app.caller_is_server()",
      replace: "actor ? 'ip'",
      name: 'has the address that the server saw, and none that a caller says',
    },
  ]),
]);
