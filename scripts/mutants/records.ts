import { of, refusals } from './mutant.ts';
import { SQL } from './sql.ts';

const SUITE = 'test/schema/records.test.ts';

/** Mutants of the rules of every table of records. */
export const RECORDS = Object.freeze([
  ...refusals('core', SUITE, [
    {
      within: 'app.ensure_partition',
      find: 'The time of a record is not one of the last %s days.',
      name: 'are made for a time that was forgotten, and for none that nothing takes',
    },
    {
      within: 'app.find_records',
      find: 'There are no records %s.',
      name: 'of a table that is none are refused',
    },
    {
      within: 'public.read_records',
      find: 'after must be the last record of the page before.',
      name: 'are read after a record, and after nothing else',
    },
    {
      within: 'public.archive_records',
      find: 'The files hold other records of %s than the table.',
      name: 'are in files only if the files have all of them',
    },
    {
      within: 'public.import_records',
      find: 'records must be a list of 1 to 1,000 records.',
      name: 'come into another workspace, once',
    },
    {
      within: 'public.import_records',
      find: 'A record of %s does not fit its table: %s.',
      name: 'come into another workspace, once',
    },
  ]),
  ...refusals('core', 'test/contract/limited-tokens.test.ts', [
    {
      within: 'app.authenticate_reader',
      find: 'app.refuse_limited',
      name: 'what concerns more than the project is forbidden, and says why',
    },
    {
      within: 'public.import_records',
      find: 'app.refuse_limited',
      name: 'what concerns more than the project is forbidden, and says why',
    },
  ]),
  ...of('core', SUITE, [
    {
      within: 'app.make_partition',
      file: SQL,
      find: "  execute format('alter table %s enable row level security', v_path);\n",
      replace: '',
      name: 'are out of everybody’s reach, however they are named',
    },
    {
      within: 'app.is_disposable',
      file: SQL,
      find: 'and not exists (select from app.unarchived_records(records.table_name, child))',
      replace: '',
      name: 'that are old are moved to files, leave their table, and are read as before',
    },
  ]),
  ...of('core', 'test/schema/record-files.test.ts', [
    {
      within: 'public.archive_records',
      file: SQL,
      find: 'v_written = 0 or ',
      replace: '',
      name: 'keeps its files when a worker that slept finds nothing more of it in the table',
    },
    {
      within: 'app.is_in_files',
      file: SQL,
      find: 'return v_there < v_archived;',
      replace: 'return false;',
      name: 'stays as it is when another workspace, or its own, imports into its time',
    },
    {
      within: 'app.measure_records',
      file: SQL,
      find: 'sum(hashtextextended(x::text, 0)::numeric)',
      replace: '0::numeric',
      name: 'is written anew if a row of it was changed',
    },
    {
      within: 'public.read_records',
      file: SQL,
      find: `    return '{"records": [], "moved": true}';`,
      replace: `    return '{"records": []}';`,
      name: 'is read to its end though it leaves the table meanwhile',
    },
  ]),
]);
