import { stat } from 'node:fs/promises';
import type pg from 'pg';
import type { Config } from '../../config.ts';
import { checkBackup, restore } from '../../db/backup.ts';
import { openBackup, writeBackup } from '../../db/backup-file.ts';
import { hasCluster, serverStatus, stopServer } from '../../db/embedded/shared-server.ts';
import { openEngine } from '../../db/open.ts';
import { replaceCluster } from '../../db/replace.ts';
import { DomainError } from '../../errors.ts';
import { createLog } from '../../log.ts';
import { type JsonOption, printRemark, printResult, styled } from '../terminal/output.ts';

/** `cairn db status`: the embedded server of the data directory. */
export async function runDbStatus(config: Config, options: JsonOption): Promise<void> {
  printResult(await serverStatus(config.dataDir), options, (status) => [
    status.running ? styled('green', 'Running') : 'Not running',
    `  data         ${status.data_dir}`,
    ...(status.running
      ? [
          `  server       PostgreSQL ${status.server_version}, process ${status.pid}`,
          `  connections  ${status.connections}${status.connections === 0 ? ', so it stops by itself' : ''}`,
          `  size         ${(Number(status.size_bytes) / 1e6).toFixed(1)} MB`,
        ]
      : []),
  ]);
}

/** `cairn db stop`: stops the server, even while others use it. */
export async function runDbStop(config: Config, options: JsonOption): Promise<void> {
  const done = await stopServer({ dataDir: config.dataDir });
  printResult(done, options, ({ stopped }) => [stopped ? 'Stopped.' : 'Not running.']);
}

/** `cairn db backup FILE`: saves everything as of one moment, while others go on. */
export async function runDbBackup(config: Config, file: string, options: JsonOption): Promise<void> {
  refuseOtherEngines(config, 'pg_dump makes backups of any PostgreSQL.');
  if (!(await hasCluster(config.dataDir))) {
    throw new DomainError('not_found', `There is no database in ${config.dataDir}.`, {
      hint: 'Name the directory with --data-dir or CAIRN_DATA_DIR.',
    });
  }
  if (await stat(file).catch(() => null)) {
    throw new DomainError('already_exists', `The file ${file} is there already.`, { hint: 'Name a new one.' });
  }
  const open = await openEngine(config, createLog('warn'));
  try {
    const client = await open.connect();
    try {
      const { size_bytes, ...done } = await writeBackup(client, file);
      const written = { file, size_bytes, ...done, not_in_it: await whatIsApart(client) };
      printResult(written, options, ({ rows, tables, sha256, not_in_it }) => [
        `Backed up ${rows} rows of ${tables} tables to ${file} (${size_bytes} bytes).`,
        `sha256 of what is in it: ${sha256}`,
        ...not_in_it.map(
          ({ location, events }) =>
            `Not in it: ${events} archived events, in ${location}. Back up those files too, and keep them in that place.`,
        ),
      ]);
    } finally {
      await client.end();
    }
  } finally {
    await open.close();
  }
}

/** Lists where archived events are: the database knows the place and has no copy of them. */
async function whatIsApart(client: pg.Client): Promise<{ location: string; events: number }[]> {
  const { rows } = await client.query(
    'select location, sum(events)::int as events from app.archives group by location order by location',
  );
  return rows;
}

/** `cairn db restore FILE`: restores into an empty data directory, where the database appears only once verified. */
export async function runDbRestore(
  config: Config,
  file: string,
  { replace = false, ...options }: JsonOption & { replace?: boolean },
): Promise<void> {
  refuseOtherEngines(config, 'pg_restore restores what pg_dump wrote.');
  await checkBackup(openBackup(file));
  const { dataDir } = config;
  const done = { rows: 0, tables: 0, events: 0 };
  const { aside } = await replaceCluster({ dataDir, log: createLog('warn'), replace }, async (client) => {
    Object.assign(done, await restore(client, openBackup(file)));
    printRemark(`Read ${done.rows} rows of ${done.tables} tables.`, options);
    done.events = await verifyAll(client);
    printRemark(`Verified ${done.events} events, and everything made of them.`, options);
  });
  printResult({ data_dir: dataDir, ...done, aside }, options, () => [
    `Restored to ${dataDir}, as it was when the backup was made: what was revoked since is good again.`,
    ...(aside === null ? [] : [`What was there is in ${aside}; remove it when you no longer need it.`]),
  ]);
}

/** Verifies every workspace as `cairn events verify` does. */
async function verifyAll(client: pg.Client): Promise<number> {
  const { rows: members } = await client.query(
    'select distinct on (tenant_id) tenant_id, user_id from public.memberships order by tenant_id, user_id',
  );
  let events = 0;
  for (const actor of members) {
    const { rows } = await client.query('select public.verify_events(actor => $1) as result', [JSON.stringify(actor)]);
    const { ok, events: found, difference } = rows[0].result;
    if (!ok) {
      throw new DomainError(
        'invalid_input',
        `The backup does not verify: ${JSON.stringify(difference)}. Nothing was restored.`,
        {
          hint: 'Restore an earlier backup, or repair the database it was made of with `cairn events replay` and back it up again.',
        },
      );
    }
    events += found;
  }
  return events;
}

function refuseOtherEngines({ databaseUrl, supabaseUrl }: Config, hint: string): void {
  if (databaseUrl === undefined && supabaseUrl === undefined) return;
  throw new DomainError(
    'invalid_input',
    'This command needs the embedded database, but the configuration names another.',
    {
      hint,
    },
  );
}
