import { of, refusals } from './mutant.ts';
import { SQL } from './sql.ts';

/** The rules for imports: what they refuse, and what they clean. */
export const IMPORTS = Object.freeze([
  ...of('T32', 'test/schema/transfer-forged.test.ts', [
    {
      file: SQL,
      find: "  perform app.check_data(event.event_type, event.payload, '', true);\n",
      name: 'is refused with a field that is none',
    },
    {
      file: SQL,
      find: "  elsif event.actor ->> 'user' is distinct from event.user_id::text\n      or ",
      replace: '  elsif ',
      name: 'is refused with another user than its actor',
    },
    {
      file: SQL,
      find: '      or app.is_in_place(event) is not true\n',
      name: 'is gone on with by the admin who imported its end, and by no other chain',
    },
    {
      file: SQL,
      within: 'app.is_in_place',
      find: '    return app.is_redaction_in_place(event);',
      replace: '    return true;',
      name: 'is refused with a redaction in another project',
    },
    {
      file: SQL,
      find: '  perform app.check_chain_end(event, actor);\n',
      name: 'is not gone on with by an admin',
    },
    {
      file: SQL,
      within: 'app.check_recorded',
      find: "    perform app.check_rules(event.payload -> 'rules');\n",
      replace: '    null;\n',
      name: 'is refused with rules that this version does not know',
    },
    {
      file: SQL,
      find: '    v_event.imported_by := v_actor.user_id;\n',
      name: 'says who imported it, whatever the file says of that',
    },
  ]),
  ...refusals('T32', 'test/schema/transfer-forged.test.ts', [
    {
      within: 'app.check_recorded',
      find: 'The slug must be 1 to 31 lower-case letters, digits and dashes.',
      name: 'is refused with a slug that is none',
    },
    {
      within: 'app.check_recorded',
      find: 'The ref and project_id must be those of the event',
      name: 'is refused with a ref of another task',
    },
    {
      within: 'app.check_recorded',
      find: 'A person approves a %s: the actor must name no agent.',
      name: 'is refused with an approval by an agent',
    },
    {
      within: 'app.check_recorded',
      find: 'Dependencies must be earlier tasks of the same project.',
      name: 'is refused with a dependency that comes later',
    },
    {
      within: 'app.check_imported',
      find: 'The times of event %s are not between 1970 and now.',
      name: 'is refused with a time before computers',
    },
    {
      within: 'app.read_imported',
      find: 'Line %s is not an event: a value has the wrong form.',
      name: 'is refused with an id that is none',
    },
    {
      within: 'app.check_recorded',
      find: 'The parent must be an earlier task of the same project.',
      name: 'is refused with a parent that is no task here',
    },
    {
      within: 'app.check_cycles',
      find: 'Task %s would wait for itself or be a part of itself.',
      name: 'is refused with a parent that is a part of it',
    },
    {
      within: 'app.check_chain_end',
      find: 'something happened in it here',
      name: 'is not gone on with by an admin',
    },
    {
      within: 'app.check_imported',
      find: 'The actor of event %s does not match its user_id.',
      name: 'is refused with another user than its actor',
    },
    {
      within: 'app.fit_imported',
      find: 'The data of event %s of the file is not valid',
      name: 'is refused with a field that is none',
    },
    {
      within: 'public.import_events',
      find: 'The events do not follow from one another',
      name: 'is refused where its events do not follow from one another',
    },
  ]),
  ...of('T32', 'test/schema/transfer-cleaned.test.ts', [
    {
      file: SQL,
      within: 'app.clean_scope',
      find: "        when v_key = 'deny' then left(substring(g from '^[^*?]*'), 998) || '**' end\n",
      replace: '        end\n',
      name: 'is taken cleaned, with globs that cannot be matched',
    },
    {
      file: SQL,
      within: 'app.clean_actor',
      find: "case when v_client <> 'ci' or event.actor ->> 'client' = 'ci' then v_client end",
      replace: 'v_client',
      name: 'is still an agent where nobody sees its name, and no client becomes CI',
    },
    {
      file: SQL,
      within: 'app.broken_event',
      find: 'coalesce(x.cleaned_hash, x.payload_hash) = app.payload_hash(x.payload)',
      replace: '(x.cleaned_hash is not null or x.payload_hash = app.payload_hash(x.payload))',
      name: 'is rebuilt, goes on, and is skipped when it comes again',
    },
  ]),
  ...of('T32', 'test/schema/transfer-marked.test.ts', [
    {
      file: SQL,
      within: 'app.fit_imported',
      find: '  if v_fault is not null and event.cleaned_hash is null then\n',
      replace: '  if v_fault is not null then\n',
      name: 'is refused with rules that are none',
    },
    {
      file: SQL,
      within: 'app.check_imported',
      find: 'coalesce(event.cleaned_hash, event.payload_hash) <> app.payload_hash(event.payload)',
      replace: 'event.cleaned_hash is null and event.payload_hash <> app.payload_hash(event.payload)',
      name: 'is refused where the mark is of other data, or is none',
    },
    {
      file: SQL,
      within: 'app.check_imported',
      find: '      or octet_length(event.cleaned_hash) <> 32\n',
      name: 'is refused where the mark of redacted data is no hash',
    },
  ]),
  ...of('T31', 'test/schema/transfer-cleaned.test.ts', [
    {
      file: SQL,
      within: 'app.upcast_event',
      find: 'case when event.cleaned_hash is null then event else app.clean_actor(event) end',
      replace: 'event',
      name: 'stays in the log, whose hash covers it, and is cleaned wherever it is read',
    },
    {
      file: SQL,
      within: 'app.clean_json',
      find: 'case when app.is_clean_json(v_clean) then v_clean else app.cut_json(v_clean, 32) end',
      replace: 'v_clean',
      name: 'is taken cut, with an object of forty levels',
    },
  ]),
  ...refusals('T32', 'test/schema/transfer-marked.test.ts', [
    {
      within: 'app.check_recorded',
      find: 'evidence must be a list of {criterion, note or artifact}.',
      name: 'is refused with evidence that is none',
    },
  ]),
  ...refusals('T32', 'test/schema/transfer-cleaned.test.ts', [
    {
      within: 'app.check_imported',
      find: 'has a name of more than 480 characters',
      name: 'is refused where it has more characters than are ever read',
    },
  ]),
]);
