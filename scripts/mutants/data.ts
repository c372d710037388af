import { of, refusals } from './mutant.ts';
import { SQL } from './sql.ts';

/** Threats by what is stored: names, names behind ids, limits. */
export const DATA = Object.freeze([
  ...of('core', 'test/schema/event-types.test.ts', [
    {
      file: SQL,
      within: 'app.validate_field',
      find: 'and app.is_visible(v_text)',
      name: 'takes of task.released what its schema takes, and nothing else',
    },
    {
      file: SQL,
      within: 'app.validate_field',
      find: '^[1-9][0-9]{0,8}$',
      replace: '^[0-9]{1,9}$',
      name: 'takes of task.claimed what its schema takes, and nothing else',
    },
    {
      file: SQL,
      within: 'app.validate_field',
      find: "coalesce(item_max, case kind when 'ref[]' then 80 else 1000 end)",
      replace: '1000',
      name: 'takes of artifact.added what its schema takes, and nothing else',
    },
    {
      file: 'src/text.ts',
      find: 'Buffer.byteLength(JSON.stringify(value)) + spacesIn(value) <= bytesMax',
      replace: 'Buffer.byteLength(JSON.stringify(value)) <= bytesMax',
      name: 'takes of checkpoint.saved what its schema takes, and nothing else',
    },
  ]),
  ...of('T31', 'test/engines/names.test.ts', [
    {
      file: SQL,
      find: "coalesce(nullif(app.clean_name(actor ->> 'agent', 120), 'system'),\n    case when actor ->> 'agent' <> '' then 'agent' end)",
      replace: "left(nullif(actor ->> 'agent', ''), 120)",
      name: 'it is an agent still, and no person',
    },
    {
      file: SQL,
      find: "v_actor.client := app.clean_name(actor ->> 'client', 120);",
      replace: "v_actor.client := left(nullif(actor ->> 'client', ''), 120);",
      name: 'it is an agent still, and no person',
    },
    {
      file: SQL,
      find: '\\u2800\\u3164',
      name: 'is cleaned alike by SQL and by TypeScript, every character',
    },
    {
      file: SQL,
      find: '  if v_name <> v_clean then\n',
      replace: '  if false then\n',
      name: 'a name of a person, a workspace, a program or a token is clean, however it came',
    },
    {
      file: 'src/text.ts',
      find: '\\p{Default_Ignorable_Code_Point}|',
      name: 'is cleaned alike by SQL and by TypeScript, every character',
    },
    {
      file: 'src/quote.ts',
      find: '? name : quote(cleanName(name, 120))',
      replace: '? name : name',
      name: 'it does no harm to those who read of it',
    },
    {
      file: 'src/db/clean.ts',
      find: 'EXACT.has(fn) ? answer : cleanAnswer(cleanJson(answer))',
      replace: 'answer',
      name: 'what a command is told by the database is clean',
    },
    {
      file: 'src/db/clean.ts',
      find: 'error instanceof DomainError ? cleanError(error) : error',
      replace: 'error',
      name: 'it does no harm where it was stored before names were cleaned',
    },
    {
      file: SQL,
      find: "format('Task %s is held by %s%s.', task.ref, app.quoted_name(task.locked_by)",
      replace: "format('Task %s is held by %s%s.', task.ref, task.locked_by",
      name: 'it does no harm to those who read of it',
    },
  ]),
  ...of('T33', 'test/schema/user-names.test.ts', [
    {
      file: SQL,
      find: `  using (id = app.get_caller_id() or exists (
    select from public.memberships m where m.tenant_id = app.get_tenant_id() and m.user_id = users.id));`,
      replace: '  using (true);',
      name: 'is not seen by the functions’ owner, whatever they forget to ask',
    },
    {
      file: SQL,
      find: '    on conflict (tenant_id, user_id) do update set name = excluded.name;\n  return old;',
      replace: '    on conflict (tenant_id, user_id) do nothing;\n  return old;',
      name: 'is called as everywhere, whatever an import says, and keeps the name when it leaves',
    },
    {
      file: SQL,
      find: '        where u.name is not null));',
      replace: '        ));',
      name: 'has no name here, though an import says that it acted here',
    },
  ]),
  ...of('T31', 'test/engines/upgrade.test.ts', [
    {
      file: 'supabase/history/20261125000400_names.sql',
      find: '  update public.tenants t set name = t.name where t.name is distinct from app.clean_name(t.name, 200);\n',
      name: 'are cleaned, and kept of members of the past, whoever upgrades it',
    },
    {
      file: 'supabase/history/20261125000400_names.sql',
      find: "    execute format('alter table %s no force row level security', v_table);\n",
      replace: '    null;\n',
      name: 'are cleaned, and kept of members of the past, whoever upgrades it',
    },
  ]),
  ...of('T31', 'test/engines/clean.test.ts', [
    {
      file: 'src/db/clean.ts',
      find: 'cleanAnswer(cleanJson(answer))',
      replace: 'cleanJson(answer)',
      name: 'a slug and refs of several lines that were stored begin no line in what tools say, nor in completions',
    },
  ]),
  ...of('T34', 'test/schema/malformed.test.ts', [
    {
      file: SQL,
      find: "(v_position ->> 'at')::timestamptz, (v_position ->> 'id')::uuid,",
      name: 'no argument of any function that signed-in users may call is refused by PostgreSQL instead of Cairn',
    },
    {
      file: SQL,
      find: "if jsonb_typeof(v_added) = 'array' then",
      replace: 'if v_added is not null then',
      name: 'no argument of any function that signed-in users may call is refused by PostgreSQL instead of Cairn',
    },
    {
      file: SQL,
      within: 'app.state_of',
      find: 'data_exception or program_limit_exceeded',
      replace: 'no_data_found',
      name: 'no argument of any function that signed-in users may call is refused by PostgreSQL instead of Cairn',
    },
    {
      file: SQL,
      within: 'app.read_events_given',
      find: 'data_exception or program_limit_exceeded',
      replace: 'no_data_found',
      name: 'no argument of any function that signed-in users may call is refused by PostgreSQL instead of Cairn',
    },
  ]),
  ...of('T34', 'test/schema/transfer-forged.test.ts', [
    {
      file: SQL,
      within: 'app.blank_payload',
      find: `'strict $ ? (@.type() == "array")[*]'`,
      replace: "'strict $[*]'",
      name: 'is refused with a redacted list that is none, and nothing is written',
    },
  ]),
  ...of('T34', 'test/schema/bounds.test.ts', [
    {
      file: SQL,
      find: '  if (asked between 1 and most) is not true then\n',
      replace: '  if asked not between 1 and most then\n',
      name: 'no call, whatever it leaves out or counts, gets more than it may',
    },
    {
      file: SQL,
      find: '  if (given between from_number and most) is not true then\n',
      replace: '  if given not between from_number and most then\n',
      name: 'no call, whatever it leaves out or counts, gets more than it may',
    },
    {
      file: SQL,
      find: "  if char_length(command ->> 'fingerprint') > 200 then\n",
      replace: '  if false then\n',
      name: 'has no fingerprint of more than 200 characters',
    },
    {
      file: SQL,
      find: "    and replace(value::text, '\\\\', '') !~ '\\\\([bfr]|u00)'\n",
      name: 'with an escape in a key is refused',
    },
    {
      file: SQL,
      find: `    and not jsonb_path_exists(value, 'strict $.**{32} ? (@.type() == "object" || @.type() == "array")')`,
      name: 'with 33 levels is refused',
    },
  ]),
  ...refusals('T34', 'test/schema/bounds.test.ts', [
    {
      within: 'app.find_idempotent_result',
      find: 'fingerprint must have at most 200 characters',
      name: 'has no fingerprint of more than 200 characters',
    },
  ]),
]);
