import { SQL } from './migrations.mjs';
import { of, refusals } from './mutant.mjs';

/** Which processes are there, and what those that ended leave behind. */
export const PRESENCE = Object.freeze([
  ...refusals('core', 'test/presence.test.ts', [
    {
      within: 'public.adopt_locks',
      find: 'tasks is a list of at most 100 refs.',
      name: 'refs of locks to go on with are a list of at most a hundred',
    },
    {
      within: 'public.report_presence',
      find: 'It is not said which process is there.',
      name: 'a process that is not named cannot be there',
    },
    {
      within: 'public.report_presence',
      find: 'agents is a list of at most 100 names.',
      name: 'is told of a hundred agents at once and of no more',
    },
  ]),
  ...of('core', 'test/presence.test.ts', [
    {
      file: SQL,
      find: '      where p.user_id = excluded.user_id;\n',
      replace: ';\n',
      name: 'is ended by no other user',
    },
    {
      file: SQL,
      find: 'app.presence_lock(p.tenant_id, p.process) <> all (v_locks)',
      replace: 'true',
      name: 'lives while it is watched, however long it is silent',
    },
    {
      file: SQL,
      find: 'p.ended_at is null and p.watched and p.beat_at < at\n        and',
      replace: 'p.ended_at is null and p.beat_at < at\n        and',
      name: 'and that nobody watches is only silent: its lock has its own time',
    },
  ]),
]);
