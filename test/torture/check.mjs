// What must be true afterwards, whatever happened.
import { execFile } from 'node:child_process';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { ensureServer } from '../../build/src/db/embedded.js';
import { createLog } from '../../build/src/log.js';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

// Far more than either takes.
const QUERY_MS_MAX = 60_000;
const VERIFY_MS_MAX = 60_000;

// Each command says its marker in one of these.
const MARKERS = `select coalesce(payload ->> 'text', payload ->> 'title', payload ->> 'label', payload ->> 'summary') as marker,
    count(*)::int as count from public.events group by 1`;
const CLAIMS = `select t.ref || ' ' || e.version as marker, count(*)::int as count from public.events e
    join public.tasks t on t.tenant_id = e.tenant_id and t.id = e.task_id where e.event_type = 'task.claimed' group by 1`;

/**
 * Compares what agents were told with what the log says. Answers with what is wrong; nothing is right.
 * @param {string} dataDir @param {import('./agent.mjs').Entry[]} entries
 */
export async function check(dataDir, entries) {
  const server = await ensureServer({ dataDir, log: createLog('fatal') });
  const client = new pg.Client({ ...server.connection, query_timeout: QUERY_MS_MAX });
  await client.connect();
  try {
    const said = await counts(client, MARKERS);
    const claims = await counts(client, CLAIMS);
    const { rows } = await client.query('select count(*)::int as count, max(seq)::int as last from public.events');
    const wrong = entries.flatMap((entry) => differences(entry, { said, claims }));
    if (rows[0].count !== rows[0].last)
      wrong.push(`The positions have gaps: ${rows[0].count} events up to ${rows[0].last}.`);
    wrong.push(...(await verify(dataDir)));
    return { events: rows[0].count, wrong };
  } finally {
    await client.end();
    await server.release();
  }
}

/** @param {pg.Client} client @param {string} sql @returns {Promise<Map<string, number>>} */
async function counts(client, sql) {
  const { rows } = await client.query(sql);
  return new Map(rows.map(({ marker, count }) => [marker, count]));
}

/** @param {import('./agent.mjs').Entry} entry @param {{ said: Map<string, number>, claims: Map<string, number> }} log */
function differences({ marker, tool, count, acknowledged, held }, { said, claims }) {
  if (tool === 'claim_task') {
    if (held === undefined) return [];
    const found = claims.get(`${held.ref} ${held.lock_token}`) ?? 0;
    return found === 1 ? [] : [`${held.ref} was claimed ${found} times with token ${held.lock_token}.`];
  }
  const found = said.get(marker) ?? 0;
  // Of a command that was never answered nothing is known, but that it is whole or not there.
  const right = found === count || (found === 0 && !acknowledged);
  return right ? [] : [`${marker} is ${found} times in the log, not ${count}.`];
}

/** @param {string} dataDir @returns {Promise<string[]>} */
async function verify(dataDir) {
  return promisify(execFile)(execPath, [CLI, 'events', 'verify', '--data-dir', dataDir], {
    timeout: VERIFY_MS_MAX,
  }).then(
    () => [],
    ({ stdout, stderr }) => [`events verify fails: ${stdout}${stderr}`],
  );
}
