import { of, refusals } from './mutant.ts';
import { SQL } from './sql.ts';

/** Threats by work that grows or waits, and by what is changed beside the hash. */
export const COSTS = Object.freeze([
  ...of('T42', 'test/engines/port.test.ts', [
    {
      file: SQL,
      within: 'public.import_events',
      find: 'not between 1 and 500 then',
      replace: 'not between 1 and 5000 then',
      name: 'refuses the import of more than a page by itself',
    },
  ]),
  ...of('T42', 'test/core/cycles.test.ts', [
    {
      file: SQL,
      find: '    v_last := v_first[v_last];',
      replace: '    null;',
      name: 'a task of a cycle is found where there is one, and no other',
    },
  ]),
  ...of('T42', 'test/schema/growth.test.ts', [
    {
      file: SQL,
      find: "select count(*) from app.tasks_with(task.tenant_id, task.dependencies) d where d.status <> 'completed'",
      replace:
        "select count(*) from public.tasks d where d.tenant_id = task.tenant_id and d.id = any (task.dependencies) and d.status <> 'completed'",
      name: 'a task with dependencies looks at no more rows where there are four times as many',
    },
  ]),
  ...of('T42', 'test/core/parents.test.ts', [
    {
      file: SQL,
      find: "    perform pg_advisory_xact_lock(hashtextextended(concat_ws(' ', actor.tenant_id, 'parents'), 0));\n",
      replace: '    null;\n',
      name: 'is moved by one after another: who waits for another move has locked no task yet',
    },
  ]),
  ...of('T42', 'test/schema/consequences.test.ts', [
    {
      file: SQL,
      find: 'limit room + 1) t) > room then',
      replace: 'limit room + 1) t) > room and false then',
      name: 'that more wait for is refused whole, and says how to go on',
    },
    {
      file: SQL,
      find: 'v_room := v_room - 1;',
      replace: 'null;',
      name: 'counts with what the others of its command change',
    },
    {
      file: SQL,
      find: 'elsif v_triggered < app.triggered_max() then',
      replace: 'elsif true then',
      name: 'what rules ask for is cut at the bound and noted once',
    },
    {
      file: SQL,
      find: '    continue when v_at > v_asked and app.is_settled(v_request, actor.tenant_id);\n',
      name: 'goes together with one that waits for it, or for which the same wait',
    },
    {
      file: SQL,
      find: 'where i.at > asked and i.at <= asked + 50',
      replace: 'where i.at > asked',
      name: 'an answer shows the first fifty and says how many there are',
    },
    {
      file: SQL,
      find: 'case when v_length > 20 then back',
      replace: 'case when false then back',
      name: 'a long cycle is shown from both ends',
    },
    {
      file: SQL,
      find: 'event.seq + 200 + app.policy_max() + 2 * app.triggered_max()',
      replace: 'event.seq + 400',
      name: 'a redaction misses none',
    },
  ]),
  ...of('T42', 'test/schema/readers.test.ts', [
    {
      file: SQL,
      find: '  perform app.refuse_limited(v_actor);\n  v_result := app.compare_log',
      replace:
        '  perform app.refuse_limited(v_actor);\n  perform from app.positions p where p.tenant_id = v_actor.tenant_id for no key update;\n  v_result := app.compare_log',
      name: 'lets a command through before it ends',
    },
    {
      file: SQL,
      find: 'create or replace function app.compare_log(tenant_id uuid)\n  returns jsonb\n  language plpgsql\n  stable',
      replace:
        'create or replace function app.compare_log(tenant_id uuid)\n  returns jsonb\n  language plpgsql\n  volatile',
      name: 'sees nothing of what is written after it began',
    },
    {
      file: SQL,
      find: 'v_from bigint := app.check_archivable(v_actor.tenant_id, last_seq);',
      replace: 'v_from bigint := app.check_archiving(v_actor, last_seq);',
      name: 'holds no lock that a writer waits for: snapshot_events',
    },
  ]),
  ...of('T43', 'test/contract/history.test.ts', [
    {
      file: SQL,
      find: "    when event.user_id::text is distinct from event.actor ->> 'user' then 'user_id'\n",
      name: 'finds a user changed',
    },
    {
      within: 'app.wrong_column',
      file: SQL,
      find: "        else event.payload ->> 'task' end then 'task_id'\n",
      replace: "        else event.task_id::text end then 'task_id'\n",
      name: 'finds the task of an artifact changed',
    },
    {
      file: SQL,
      find: "        when starts_with(event.stream, 'project:') then split_part(event.stream, ':', 2)\n",
      replace: '        when false then null\n',
      name: 'finds a project changed for another one of all its events',
    },
  ]),
  ...refusals('T42', 'test/schema/consequences.test.ts', [
    {
      within: 'app.apply_request',
      find: 'Task %s cannot be %s: more than %s tasks that depend on it would change with it.',
      name: 'that more wait for is refused whole, and says how to go on',
    },
  ]),
  ...of('T42', 'test/engines/new-database.test.ts', [
    {
      file: SQL,
      within: 'public.import_events',
      find: '  set plan_cache_mode = force_generic_plan\n',
      name: 'an import into a new workspace finds rows by their whole key',
    },
  ]),
]);
