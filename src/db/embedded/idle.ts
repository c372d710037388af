import type pg from 'pg';
import { type Binaries, executable } from './binaries.ts';
import { type Connection, connect } from './server.ts';

// Whoever leaves last stops the server. When the last ones were killed nobody is left to do so, and then the server
// stops itself: one of its own sessions looks after it, which goes on when the process that opened it is gone.

/** The name under which the session that watches appears in pg_stat_activity: it is not a user of the server. */
export const IDLE_WATCH = 'cairn idle watch';

const LOOKS = 10;
// Any number, as long as it is the same in every process.
const ADVISORY_LOCK = 7_226_913_006;

/** Makes sure that the server stops once nobody was connected for so long. Whoever leaves may end what it answers with. */
export async function watchIdleness(
  presence: pg.Client,
  { connection, binaries, seconds }: { connection: Connection; binaries: Binaries; seconds: number },
): Promise<pg.Client | null> {
  // Not the session's name: one whose process was killed before it could ask has the name, and watches nothing.
  const watches = await presence.query(
    `select from pg_locks where locktype = 'advisory' and granted and (classid::bigint << 32) + objid::bigint = $1`,
    [ADVISORY_LOCK],
  );
  if (watches.rowCount !== 0) return null;
  // In another database than ours, where its snapshot keeps no row version from being cleaned up.
  const client = await connect({ ...connection, database: 'postgres' }, IDLE_WATCH);
  client.query(watch(stopCommand(binaries), seconds)).catch(() => {});
  return client;
}

/** COPY runs it through the system's shell, with the process id of the server behind it. */
function stopCommand(binaries: Binaries): string {
  return process.platform === 'win32' ? `"${executable(binaries, 'pg_ctl')}" kill INT` : 'kill -INT';
}

// Looks are counted, not timed: a clock may be moved, and a laptop sleeps.
function watch(command: string, seconds: number): string {
  return `do $watch$
    declare
      v_empty integer := 0;
    begin
      if not pg_try_advisory_lock(${ADVISORY_LOCK}) then
        return;
      end if;
      while v_empty < ${LOOKS} loop
        commit;
        perform pg_sleep(${seconds / LOOKS});
        v_empty := case when exists (select from pg_stat_activity
            where backend_type = 'client backend' and application_name <> '${IDLE_WATCH}') then 0 else v_empty + 1 end;
      end loop;
      execute format('copy (select) to program %L',
        '${command.replaceAll("'", "''")} ' || split_part(pg_read_file('postmaster.pid'), e'\\n', 1));
    end $watch$`;
}
