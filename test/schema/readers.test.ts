import pg from 'pg';
import { describe, expect, inject, vi } from 'vitest';
import { ARCHIVE_FUNCTIONS, AUTH_FUNCTIONS, FUNCTIONS } from '../../src/db/functions.ts';
import { ASKED, READS as READS_OF_CATEGORIES } from '../support/categories.ts';
import { append, createProject, createTask, exportAll, note, verify } from '../support/commands.ts';
import { overClient } from '../support/database.ts';
import { fillWorkspace } from '../support/fill-workspace.ts';
import { createScratch, mutate } from '../support/scratch.ts';
import { test } from '../support/world.ts';
import { upTo } from '../support/writers.ts';

// Readers block no writer: no function that reads takes a lock for which a writer would wait.

const READS: Record<string, Record<string, unknown>> = {
  ...READS_OF_CATEGORIES,
  check_events: { events: [] },
  due_jobs: { kinds: ['archive'] },
  due_records: {},
  record_files_to_remove: {},
  export_events: {},
  get_position: {},
  list_archives: {},
  list_events: {},
  list_jobs: {},
  list_record_parts: {},
  plan_archive: { before: '2100-01-01T00:00:00Z' },
  search: { query: 'pelican' },
  snapshot_events: { last_seq: 3 },
  suggest_refs: { kind: 'task', prefix: 'web-' },
  verify_events: {},
};
const WRITES = [
  ...Object.keys(ASKED).filter((fn) => READS_OF_CATEGORIES[fn] === undefined),
  'append_events',
  'archive_events',
  'analyze_records',
  'archive_records',
  'change_job',
  'claim_job',
  'drop_partition',
  'extend_job',
  'finish_job',
  'forget_record_file',
  'import_events',
  'import_records',
  'make_partitions',
  'measure_records',
  'purge_idempotency_keys',
  'read_records',
  'redact_event',
  'register_jobs',
  'replay_events',
  'report_presence',
  'set_job',
  'settle_runs',
  'sign_in',
];

// A row that is locked gives the transaction an id; a table has a stronger lock than to be read.
const HELD = `
  select pg_current_xact_id_if_assigned() is not null as rows_locked, array(
    select distinct concat_ws(' ', l.locktype, l.relation::regclass, l.mode) from pg_locks l
    where l.pid = pg_backend_pid() and l.locktype <> 'virtualxid' and l.mode <> 'AccessShareLock') as locks`;

describe('a function that reads', () => {
  test('is in one of the lists here', () => {
    const isAuth = (name: string) => Object.hasOwn(AUTH_FUNCTIONS, name);

    const known = [...Object.keys(READS), ...WRITES].sort();

    expect(known).toEqual(
      Object.keys(FUNCTIONS)
        .filter((name) => !isAuth(name))
        .sort(),
    );
    expect(known).toEqual(expect.arrayContaining(Object.keys(ARCHIVE_FUNCTIONS)));
  });

  test.for(Object.entries(READS))('holds no lock that a writer waits for: %s', async ([fn, args], { as }) => {
    await fillWorkspace(as('ada'));
    const client = new pg.Client(inject('server'));
    await client.connect();
    try {
      await client.query('begin');

      await overClient(client).call(fn as keyof typeof FUNCTIONS, args, as('ada').actor);

      const { rows } = await client.query(HELD);
      expect(rows).toEqual([{ rows_locked: false, locks: [] }]);
    } finally {
      await client.end();
    }
  });

  test('waits for no writer that has not committed', async ({ as }) => {
    await fillWorkspace(as('ada'));
    const [writer, reader] = [new pg.Client(inject('server')), new pg.Client(inject('server'))];
    await Promise.all([writer.connect(), reader.connect()]);
    try {
      await writer.query('begin');
      const updated = { stream: 'task:web-1', type: 'task.reopened', data: { reason: 'Pinker.' } };
      await append({ db: overClient(writer), actor: as('ada').actor }, [updated]);
      await reader.query(`set lock_timeout = '1s'`);

      for (const [fn, args] of Object.entries(READS)) {
        await overClient(reader).call(fn as keyof typeof FUNCTIONS, args, as('bob').actor);
      }

      await writer.query('commit');
      expect(await verify(as('ada'))).toMatchObject({ ok: true });
    } finally {
      await Promise.all([writer.end(), reader.end()]);
    }
  });
});

describe('verifying while others write', () => {
  test('lets a command through before it ends', async ({ as }) => {
    await createProject(as('ada'));
    const client = new pg.Client(inject('server'));
    await client.connect();
    try {
      await client.query('begin');
      await overClient(client).call('verify_events', {}, as('viewer').actor);

      const noted = await note(as('ada'), 'Nobody waits.');

      expect(noted).toMatchObject({ seq: 2 });
    } finally {
      await client.end();
    }
  });

  test('looks at one moment: it finds no difference where there is none', async ({ as, withWriters }) => {
    await createProject(as('ada'));
    const results: object[] = [];
    let writing = true;

    const verifier = (async () => {
      while (writing) results.push(await verify(as('viewer')));
    })();
    await withWriters(as('ada'), (writers) =>
      Promise.all(
        writers.map(async (writer) => {
          for (const _ of upTo(15)) {
            const { ref } = await createTask(writer);
            await createTask(writer, { dependencies: [ref] });
            const cancelled = { stream: `task:${ref}`, type: 'task.cancelled', data: { reason: 'Not needed.' } };
            await append(writer, [cancelled]);
          }
        }),
      ),
    );
    writing = false;
    await verifier;

    expect(results.length).toBeGreaterThan(2);
    expect(results.filter((result) => !('ok' in result && result.ok))).toEqual([]);
    expect((await exportAll(as('ada'), null, 1_000)).length).toBe(1 + 8 * 15 * 4);
  });

  test('sees nothing of what is written after it began', async () => {
    const scratch = await createScratch();
    try {
      const ada = await scratch.signIn('ada');
      await createProject(ada);
      // Lets it begin, and no more, for as long as the test holds the lock.
      await mutate(scratch.sql, 'app.compare_log', ['\nbegin\n', '\nbegin\n  perform pg_advisory_xact_lock(1);\n']);
      await scratch.sql.query('select pg_advisory_lock(1)');
      const verified = verify(ada);
      const waits = async () => {
        const { rowCount } = await scratch.sql.query(
          `select from pg_locks where locktype = 'advisory' and not granted
             and database = (select oid from pg_database where datname = current_database())`,
        );
        return rowCount === 1;
      };
      const early = await Promise.race([vi.waitUntil(waits, { timeout: 10_000 }), verified]);
      expect(early, 'it ended before it was let go on').toBe(true);

      await note(ada, 'Too late to be looked at.');
      await scratch.sql.query('select pg_advisory_unlock(1)');

      expect(await verified).toMatchObject({ ok: true, events: 1, position: 1 });
    } finally {
      await scratch.drop();
    }
  });
});
