import { of, refusals } from './mutant.ts';
import { SQL } from './sql.ts';

/** Mutants of presence: which processes run, and what ended ones leave behind. */
export const PRESENCE = Object.freeze([
  ...refusals('core', 'test/engines/presence.test.ts', [
    {
      within: 'public.adopt_locks',
      find: 'tasks must be a list of at most 100 refs.',
      name: 'refs of locks to go on with are a list of at most a hundred',
    },
    {
      within: 'public.adopt_locks',
      find: 'actor.process is missing: it names the process that takes over the locks.',
      name: 'refs of locks to go on with are a list of at most a hundred',
    },
    {
      within: 'public.claim_task',
      find: 'from is given without the task whose lock is taken over.',
      name: 'is taken over by one of those who are told',
    },
    {
      within: 'app.check_holder',
      find: 'nobody has taken the task since.',
      name: 'does not bring back a lock whose time is over',
    },
    {
      within: 'public.report_presence',
      find: 'actor.process is missing: it names the process that is present.',
      name: 'a process that is not named cannot be there',
    },
    {
      within: 'public.report_presence',
      find: 'agents must be a list of at most 100 names.',
      name: 'is told of a hundred agents at once and of no more',
    },
  ]),
  ...refusals('core', 'test/core/shared-names.test.ts', [
    {
      within: 'app.check_text_version',
      find: 'is completed: its criteria are what it was shown by.',
      name: 'what a completed task was shown by is not exchanged',
    },
  ]),
  ...of('core', 'test/engines/presence.test.ts', [
    {
      file: SQL,
      find: 'join app.presence p on p.tenant_id = x.tenant_id and p.user_id = t.locked_by_user and p.process',
      replace: 'join app.presence p on p.tenant_id = x.tenant_id and p.process',
      name: 'is ended by no other user',
    },
    {
      file: SQL,
      find: 'app.presence_lock(x.tenant_id, x.process) <> all (v_locks)',
      replace: 'true',
      name: 'lives while it is watched, however long it is silent',
    },
    {
      file: SQL,
      find: 'x.ended_at is null and x.watched and x.beat_at < at\n          and',
      replace: 'x.ended_at is null and x.beat_at < at\n          and',
      name: 'and that nobody watches is only silent: its lock has its own time',
    },
  ]),
  ...of('core', 'test/core/freed.test.ts', [
    {
      file: SQL,
      within: 'app.check_holder',
      find: ' and task.locked_by = app.actor_name(event)',
      name: 'needs no token for what they hold under their own name',
    },
    {
      file: SQL,
      within: 'public.append_events',
      find: 'v_actor.agent is not null or ',
      name: 'is no agent, and does nothing else with the claim',
    },
    {
      file: SQL,
      within: 'public.append_events',
      find: "events -> (v_at + 1) ->> 'type' is distinct from 'task.completed'",
      replace: 'false',
      name: 'is no agent, and does nothing else with the claim',
    },
    {
      file: SQL,
      within: 'public.append_events',
      find: "events -> (v_at + 1) ->> 'stream' is distinct from v_request ->> 'stream'",
      replace: 'false',
      name: 'is no agent, and does nothing else with the claim',
    },
  ]),
]);
