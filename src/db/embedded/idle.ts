import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { type Binaries, executable } from './binaries.ts';
import { type Connection, connect } from './postgres-process.ts';

// The server stops itself after nobody was connected for a while, because the last processes left it on or were killed:
// one of its own sessions watches it, and survives the process that opened it.

// The names of that session in pg_stat_activity: it does not count as a user of the server.
const IDLE_WATCH = 'cairn idle watch';
const IDLE_STOP = 'cairn idle stop';
/** The condition on pg_stat_activity for users of the server, the asking session included. */
export const USERS = `backend_type = 'client backend' and application_name not in ('${IDLE_WATCH}', '${IDLE_STOP}')`;

const LOOKS = 10;
const POLL_MS = 10;
// Any number that is the same in every process.
const ADVISORY_LOCK = 7_226_913_006;
const IS_WATCHED = `exists (select from pg_locks
  where locktype = 'advisory' and granted and (classid::bigint << 32) + objid::bigint = ${ADVISORY_LOCK})`;

/**
 * Tells whether a session watches the server. Does not trust its name: a session whose process was killed early has the
 * name and watches nothing.
 */
export async function isWatched(presence: pg.Client): Promise<boolean> {
  const { rows } = await presence.query(`select ${IS_WATCHED} as watched`);
  return rows[0].watched;
}

/**
 * Waits while the watching session is about to stop the server. It announces this before its last look: either that
 * look sees the connected session, or the session sees the announcement. Raises when the server stops.
 */
export async function outlastIdleness(presence: pg.Client): Promise<void> {
  const sql = `select from pg_stat_activity where application_name = '${IDLE_STOP}'`;
  while ((await presence.query(sql)).rowCount !== 0) await sleep(POLL_MS);
}

/**
 * Makes sure that the server stops after nobody was connected for so long. The caller may close the returned connection
 * when it leaves.
 */
export async function watchIdleness(
  presence: pg.Client,
  { connection, binaries, seconds }: { connection: Connection; binaries: Binaries; seconds: number },
): Promise<pg.Client | null> {
  if (await isWatched(presence)) return null;
  // Uses another database than ours, where its snapshot keeps no row version from being cleaned up.
  const client = await connect({ ...connection, database: 'postgres' }, IDLE_WATCH);
  const watching = new Promise<void>((resolve) => client.once('notice', () => resolve()));
  const over = client.query(watch(stopCommand(binaries), seconds)).then(
    () => {},
    () => {},
  );
  await Promise.race([watching, over]);
  return client;
}

/** The command that COPY runs through the system's shell, with the process id of the server behind it. */
function stopCommand(binaries: Binaries): string {
  return process.platform === 'win32' ? `"${executable(binaries, 'pg_ctl')}" kill INT` : 'kill -INT';
}

// Counts looks instead of time: a clock may be moved, and a laptop sleeps. Each commit lets the next look see current
// sessions.
function watch(command: string, seconds: number): string {
  return `do $watch$
    declare
      v_empty integer := 0;
    begin
      if not pg_try_advisory_lock(${ADVISORY_LOCK}) then
        return;
      end if;
      raise notice 'watching';
      loop
        commit;
        perform pg_sleep(${seconds / LOOKS});
        v_empty := case when exists (select from pg_stat_activity where ${USERS}) then 0 else v_empty + 1 end;
        continue when v_empty < ${LOOKS};
        perform set_config('application_name', '${IDLE_STOP}', false);
        commit;
        exit when not exists (select from pg_stat_activity where ${USERS});
        perform set_config('application_name', '${IDLE_WATCH}', false);
        v_empty := 0;
      end loop;
      execute format('copy (select) to program %L',
        '${command.replaceAll("'", "''")} ' || split_part(pg_read_file('postmaster.pid'), e'\\n', 1));
    end $watch$`;
}
