// The invariants after a run, whatever happened in it.
import { execFile } from 'node:child_process';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { ensureServer } from '../../src/db/embedded/shared-server.ts';
import { createLog } from '../../src/log.ts';
import { PACKAGE_ROOT } from '../../src/package-root.ts';
import type { Entry } from './agent.ts';

const CLI = fileURLToPath(new URL('dist/cli.js', PACKAGE_ROOT));

// Far more than either takes.
const QUERY_MS_MAX = 60_000;
const VERIFY_MS_MAX = 60_000;

// Each command says its marker in one of these.
const MARKERS = `select coalesce(payload ->> 'text', payload ->> 'title', payload ->> 'label', payload ->> 'summary') as marker,
    count(*)::int as count from public.events group by 1`;
const CLAIMS = `select t.ref || ' ' || e.version as marker, count(*)::int as count from public.events e
    join public.tasks t on t.tenant_id = e.tenant_id and t.id = e.task_id where e.event_type = 'task.claimed' group by 1`;

/** Compares what agents were told with what the log says. Answers with what is wrong; nothing is right. */
export async function check(dataDir: string, entries: Entry[]): Promise<{ events: number; wrong: string[] }> {
  const server = await ensureServer({ dataDir, log: createLog('fatal') });
  const client = new pg.Client({ ...server.connection, query_timeout: QUERY_MS_MAX });
  await client.connect();
  try {
    const said = await counts(client, MARKERS);
    const claims = await counts(client, CLAIMS);
    const { rows } = await client.query<{ count: number; last: number | null }>(
      'select count(*)::int as count, max(seq)::int as last from public.events',
    );
    const { count, last } = rows[0] ?? { count: 0, last: null };
    const wrong = entries.flatMap((entry) => differences(entry, { said, claims }));
    if (count !== last) wrong.push(`The positions have gaps: ${count} events up to ${last}.`);
    wrong.push(...(await verify(dataDir)));
    return { events: count, wrong };
  } finally {
    await client.end();
    await server.release();
  }
}

async function counts(client: pg.Client, sql: string): Promise<Map<string, number>> {
  const { rows } = await client.query<{ marker: string; count: number }>(sql);
  return new Map(rows.map(({ marker, count }) => [marker, count]));
}

function differences(
  { marker, tool, count, acknowledged, held }: Entry,
  { said, claims }: { said: Map<string, number>; claims: Map<string, number> },
): string[] {
  if (tool === 'claim_task') {
    if (held === undefined) return [];
    const found = claims.get(`${held.ref} ${held.lock_token}`) ?? 0;
    return found === 1 ? [] : [`${held.ref} was claimed ${found} times with token ${held.lock_token}.`];
  }
  const found = said.get(marker) ?? 0;
  // A command that was never answered is either complete or absent.
  const right = found === count || (found === 0 && !acknowledged);
  return right ? [] : [`${marker} is ${found} times in the log, not ${count}.`];
}

async function verify(dataDir: string): Promise<string[]> {
  return promisify(execFile)(execPath, [CLI, 'events', 'verify', '--data-dir', dataDir], {
    timeout: VERIFY_MS_MAX,
  }).then(
    () => [],
    ({ stdout, stderr }) => [`events verify fails: ${stdout}${stderr}`],
  );
}
