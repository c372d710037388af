import { of, refusals } from './mutant.ts';

/** Mutants of the refusals to callers that do not use our tools. */
export const PORT = Object.freeze([
  ...refusals('core', 'test/engines/port.test.ts', [
    {
      within: 'public.sign_in',
      find: 'An identity has an issuer and a subject.',
      name: 'signs nobody in without a name of theirs',
    },
    {
      within: 'app.refuse_rewrite',
      find: 'The log is append-only: %s of events is not possible.',
      name: 'keeps the log as it is, whoever asks',
    },
    {
      within: 'app.check_data',
      find: 'There is no event type %s.',
      name: 'refuses an event type that there is not by itself',
    },
    {
      within: 'app.check_data',
      find: '%s needs the field %s.',
      name: 'refuses an event without what it needs by itself',
    },
    {
      within: 'app.check_data',
      find: '%s has no field %s.',
      name: 'refuses a field that the event does not have by itself',
    },
    {
      within: 'app.check_data',
      find: '%s of %s is not valid: allowed is %s.',
      name: 'refuses a value that is too long by itself',
    },
    {
      within: 'app.page_size',
      find: 'page_size is %s; allowed is 1 to %s.',
      name: 'refuses a page of nothing by itself',
    },
    {
      within: 'app.find_idempotent_result',
      find: 'idempotency_key must have 1 to 200 characters.',
      name: 'refuses an idempotency key without a character by itself',
    },
    {
      within: 'app.find_event',
      find: 'There is no event %s in this workspace.',
      name: 'refuses an event that there is not by itself',
    },
    { within: 'app.find_project', find: 'There is no project yet.', name: 'asks which project is meant' },
    {
      within: 'app.check_evidence',
      find: 'Evidence names a criterion from 1 to %s of task %s, with a',
      name: 'refuses evidence for a criterion that there is not by itself',
    },
    {
      within: 'app.check_evidence',
      find: 'The evidence for criterion %s needs a note of at most 4000',
      name: 'refuses evidence that shows nothing by itself',
    },
    {
      within: 'app.check_evidence',
      find: 'Task %s has no artifact %s.',
      name: 'refuses evidence by an artifact that there is not by itself',
    },
    {
      within: 'app.check_filters',
      find: 'There is no filter %s.',
      name: 'refuses a filter that there is not by itself',
    },
    {
      within: 'app.check_filters',
      find: 'filters must be an object.',
      name: 'refuses filters that are a list by itself',
    },
    {
      within: 'app.check_filters',
      find: 'The filter %s is not valid: allowed is %s.',
      name: 'refuses a status that is a number by itself',
    },
    {
      within: 'app.find_idempotent_result',
      find: 'command must be an object with key and fingerprint.',
      name: 'refuses a command that is a list by itself',
    },
    {
      within: 'public.search',
      find: 'kinds must be a list of at most 100 texts.',
      name: 'refuses kinds that are none by itself',
    },
    {
      within: 'app.refuse_events',
      find: '%s must be a list of events as export_events returns them.',
      name: 'refuses an archive of no events by itself',
    },
    {
      within: 'app.read_events_given',
      find: 'app.refuse_events(field)',
      name: 'refuses events that are none by itself',
    },
    {
      within: 'app.state_of',
      find: "app.refuse_events('archived')",
      name: 'refuses an archive of what never was by itself',
    },
    {
      within: 'public.check_events',
      find: 'chains must be an object that maps each project to the hash',
      name: 'refuses chains that are none by itself',
    },
    {
      within: 'app.check_number',
      find: '%s is %s; allowed is %s to %s.',
      name: 'refuses a lease of no time by itself',
    },
    {
      within: 'app.new_event',
      find: "An event needs a stream, a type of the stream''s category, and",
      name: 'refuses an event of another category than its stream by itself',
    },
    { within: 'app.new_event', find: '%s is not a stream.', name: 'refuses a stream without an id by itself' },
    {
      within: 'app.new_event',
      find: '%s is recorded by Cairn itself, not by callers.',
      name: 'refuses what only the database records by itself',
    },
    { within: 'app.write_dispatch', find: 'There is no stream %%s.', name: 'knows no stream that nothing applies' },
    {
      within: 'public.append_events',
      find: 'events must be a list of 1 to 200 events.',
      name: 'refuses no events by itself',
    },
    {
      within: 'public.append_events',
      find: 'An event has stream, type, data and expect, nothing else;',
      name: 'refuses a claim that is no call of claim_task by itself',
    },
    {
      within: 'public.append_events',
      find: 'expect may hold version and lock_token, each a whole number, and own_lock.',
      name: 'refuses an expectation that is no number by itself',
    },
    {
      within: 'app.search_query',
      find: 'query has no word to search for',
      name: 'refuses a search for no word by itself',
    },
    {
      within: 'public.search',
      find: 'There is no kind %s.',
      name: 'refuses a search among what there is not by itself',
    },
    {
      within: 'app.import_users',
      find: 'users must be a list of at most 5000, each with an id and a name',
      name: 'refuses the import of a user without an id by itself',
    },
    {
      within: 'public.import_events',
      find: 'events must be a list of 1 to 500 events.',
      name: 'refuses the import of no events by itself',
    },
    {
      within: 'app.check_archivable',
      find: 'The archive ends at %s, the log at %s: %s is not between',
      name: 'refuses an archive beyond the log by itself',
    },
    {
      within: 'public.plan_archive',
      find: 'before must be a time: events older than it are archived.',
      name: 'refuses an archive of any time by itself',
    },
  ]),
  ...of('core', 'test/engines/faults.test.ts', [
    {
      file: 'src/db/postgres.ts',
      find: '(await hasEnded(client))',
      replace: 'true',
      name: 'refuses a command is waited for until it holds nothing',
    },
  ]),
]);
