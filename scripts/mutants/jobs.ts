import { of, refusals } from './mutant.ts';
import { SQL } from './sql.ts';

const OF_ALL = 'of the installation is said by the user of the server’s machine';

/** Mutants of the rules of jobs. */
export const JOBS = Object.freeze([
  ...refusals('core', 'test/schema/jobs.test.ts', [
    {
      within: 'app.lock_run',
      find: 'The run of the job %s is not yours any more.',
      name: 'a late one extends nothing and finishes nothing',
    },
    { within: 'app.lock_job', find: 'There is no such job.', name: 'makes it due now' },
    { within: 'app.lock_job', find: 'app.refuse_guest', name: OF_ALL },
    { within: 'public.set_job', find: 'app.refuse_guest', name: OF_ALL },
    {
      within: 'public.finish_job',
      find: 'A run ends as succeeded, failed or released.',
      name: 'a late one extends nothing and finishes nothing',
    },
    {
      within: 'public.set_job',
      find: 'The settings of a job have at most 4 KB in all.',
      name: 'within limits',
    },
    {
      within: 'public.set_job',
      find: 'A job runs every 1 second to 366 days, with settings of at most 4 KB.',
      name: 'within limits',
    },
  ]),
  ...refusals('core', 'test/schema/job-edges.test.ts', [
    {
      within: 'public.change_job',
      find: 'A job is paused, resumed or run.',
      name: 'a change that is none is refused, and resumes nothing',
    },
  ]),
  ...of('core', 'test/schema/jobs.test.ts', [
    {
      within: 'app.lock_run',
      file: SQL,
      find: ' or v_job.lease_expires_at <= app.now()',
      name: 'a late one extends nothing and finishes nothing',
    },
    {
      within: 'app.lock_run',
      file: SQL,
      find: ' or v_job.token is distinct from token',
      name: 'a late one extends nothing and finishes nothing',
    },
    {
      within: 'public.claim_job',
      file: SQL,
      find: 'coalesce(app.get_due_at(v_job) > v_now, true)',
      replace: 'v_job.kind is null',
      name: 'is first due within the hour',
    },
    {
      within: 'public.claim_job',
      file: SQL,
      find: '    for update skip locked;',
      replace: ';',
      name: 'is claimed by one of twenty at once',
    },
    {
      within: 'app.get_due_at',
      file: SQL,
      find: 'greatest(job.next_run_at, job.lease_expires_at)',
      replace: 'job.next_run_at',
      name: 'is not due while it runs',
    },
    {
      within: 'app.end_run',
      file: SQL,
      find: "outcome <> 'lost'",
      replace: 'true',
      name: 'is lost, and taken over in the next claim',
    },
  ]),
]);
