// npm run bench:queue: how long it takes to claim a run from the queue of an agent, and to settle it, with a short queue
// and with a long one in turns; writes docs/performance.md.
//
//   npm run bench:queue                                      100 and 100,000 runs queued for each agent
//   npm run bench:queue -- --long 10000 --claims 100         fewer; --no-write
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, stderr, stdout, versions } from 'node:process';
import { parseArgs } from 'node:util';
import type pg from 'pg';
import { readConfig } from '../src/config.ts';
import { type Actor, type Database, NOBODY } from '../src/db/database.ts';
import { openEngine } from '../src/db/open.ts';
import { migrate } from '../src/db/schema/migrate.ts';
import { newId } from '../src/events/ids.ts';
import { signInAs } from '../src/local.ts';
import { createLog } from '../src/log.ts';
import { databasePort, type RunnerPort } from '../src/runner/port.ts';
import { stopDatabase } from './processes.ts';
import { type Sample, summary, timed } from './sample.ts';
import { table, writeSection } from './section.ts';

const SHORT = 100;
const AT_ONCE = [1, 8];
const TURNS = 10;

type Caller = { db: Database; actor: Actor };
type Queued = { id: string; token: number; port: RunnerPort };
type Taken = { claims: number[]; settles: number[] };

const { values: flags } = parseArgs({
  options: {
    long: { type: 'string', default: '100000' },
    claims: { type: 'string', default: '500' },
    'no-write': { type: 'boolean', default: false },
  },
});
const depths = [SHORT, Number(flags.long)];
const claims = Number(flags.claims);
const load = (loadavg()[0] ?? 0).toFixed(1);

const dataDir = await mkdtemp(join(tmpdir(), 'cairn-queue-'));
await chmod(dataDir, 0o755);
const engine = await openEngine(readConfig({ dataDir, lingerSeconds: '0' }, {}), createLog('error'), {
  connectionsMax: Math.max(...AT_ONCE),
});
const sql = await engine.connect();
try {
  await migrate(sql);
  const identity = { issuer: 'bench', subject: 'queue', name: 'Bench' };
  const actor = { ...NOBODY, ...(await signInAs({ db: engine.db, actor: NOBODY }, { identity })), client: 'bench' };
  const report = render(await measure({ db: engine.db, actor }));
  stdout.write(`${report}\n`);
  if (!flags['no-write']) stderr.write(`wrote ${await writeSection('queue', report)}\n`);
} finally {
  await sql.end();
  await engine.close();
  stopDatabase(dataDir);
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
}

/** Claims from short and long queues in turns, so that both meet the same machine. */
async function measure({ db, actor }: Caller): Promise<[number, number, Taken][]> {
  const count = Math.max(...AT_ONCE);
  const agents: Queued[][] = [];
  for (const depth of depths) {
    const queued: Queued[] = [];
    for (let at = 1; at <= count; at += 1) queued.push(await queue({ db, actor }, `of-${depth}-${at}`, depth));
    agents.push(queued);
    stderr.write(`${count} agents have ${depth} runs each\n`);
  }
  await sql.query('vacuum analyze public.commands, public.agent_runs');
  // All connections compile what they run often.
  for (const queued of agents) await take(queued, 10 * count);
  const rows: [number, number, Taken][] = [];
  for (const atOnce of AT_ONCE) {
    const taken = depths.map((): Taken => ({ claims: [], settles: [] }));
    for (let turn = 0; turn < TURNS; turn += 1) {
      for (const [at, queued] of agents.entries()) {
        const { claims: more, settles } = await take(queued.slice(0, atOnce), claims / TURNS);
        taken[at]?.claims.push(...more);
        taken[at]?.settles.push(...settles);
      }
    }
    for (const [at, depth] of depths.entries()) rows.push([atOnce, depth, taken[at] ?? { claims: [], settles: [] }]);
  }
  return rows;
}

/** Registers an agent, sends it one command, and makes copies of that in its queue. */
async function queue({ db, actor }: Caller, name: string, depth: number): Promise<Queued> {
  const port = databasePort({ db, actor: { ...actor, agent: name } }, name);
  const { agent, token } = await port.register({ agent: { name, type: 'other', driver: 'pipe', config: {} } });
  const sent = { stream: `command:${newId()}`, type: 'command.sent', data: { to: [name], content: 'Count.' } };
  await db.call('append_events', { events: [sent] }, actor);
  await copy(sql, agent.id, depth - 1);
  return { id: agent.id, token, port };
}

/** Copies the first command and run of an agent with other priorities: as they are right after they were sent. */
async function copy(client: pg.Client, agent: string, count: number): Promise<void> {
  await client.query('set session_replication_role = replica');
  await client.query(
    `with first as (
       select r as run, c as command
       from public.agent_runs r join public.commands c on c.tenant_id = r.tenant_id and c.id = r.command_id
       where r.agent_id = $1 order by r.created_at, r.id limit 1
     ), made as materialized (
       select app.uuid_v7() as run_id, app.uuid_v7() as command_id, n * 37 % 101 as priority,
         clock_timestamp() as now, now() + interval '1 day' as expires_at
       from generate_series(1, $2::integer) n
     ), commands as (
       insert into public.commands
         select x.* from first f, made m, jsonb_populate_record(f.command, to_jsonb(m) || jsonb_build_object(
           'id', m.command_id, 'status', 'queued', 'version', 1, 'created_at', m.now, 'started_at', null,
           'completed_at', null, 'error', null)) x
     )
     insert into public.agent_runs
       select x.* from first f, made m, jsonb_populate_record(f.run, to_jsonb(m) || jsonb_build_object(
         'id', m.run_id, 'status', 'queued', 'version', 1, 'created_at', m.now, 'attempt', 0, 'lock_token', null,
         'started_at', null, 'ended_at', null, 'end_reason', null, 'delivered_at', null, 'duration_ms', null)) x`,
    [agent, count],
  );
  await client.query('reset session_replication_role');
}

/** Each agent claims its next run and settles it, again and again, and gets another for it. */
async function take(agents: Queued[], count: number): Promise<Taken> {
  const taken: Taken = { claims: [], settles: [] };
  const one = async ({ token, port }: Queued) => {
    // An agent that does not beat gets nothing.
    await port.beat(token, { runs: [] });
    for (let n = 0; n < count / agents.length; n += 1) {
      const { ms, result: claimed } = await timed(() => port.claim(token, []));
      if ('nothing' in claimed) throw new Error(claimed.nothing);
      taken.claims.push(ms);
      const held = { run: claimed.run.id, lock_token: claimed.lock_token };
      const events = [
        { type: 'run.delivered', data: { path: 'the bench' } },
        { type: 'run.finished', data: { status: 'completed', end_reason: 'completed' } },
      ];
      taken.settles.push((await timed(() => port.report(held, events))).ms);
    }
  };
  await Promise.all(agents.map(one));
  for (const { id } of agents) await copy(sql, id, Math.ceil(count / agents.length));
  return taken;
}

function render(rows: [number, number, Taken][]): string {
  const shown = rows.map(([atOnce, depth, taken]) => {
    const [claim, settle] = [summary(taken.claims), summary(taken.settles)];
    const short = rows.find(([agents]) => agents === atOnce)?.[2].claims ?? [];
    const times = claim.p50 / summary(short).p50;
    return [`${atOnce}`, depth.toLocaleString('en'), ...pair(claim), times.toFixed(2), ...pair(settle)];
  });
  return [
    `Made by \`${['npm run bench:queue', ...(argv.length > 2 ? ['--', ...argv.slice(2)] : [])].join(' ')}\` on ${new Date().toISOString().slice(0, 10)}: ${cpus().length} cores, Node ${versions.node}, load ${load} before. Milliseconds, of ${claims} claims in each row, in ${TURNS} turns.`,
    '',
    ...table(
      ['agents at once', 'runs queued for each', 'claim, p50', 'p99', 'times the short queue', 'settle, p50', 'p99'],
      shown,
    ),
  ].join('\n');
}

function pair({ p50, p99 }: Sample): string[] {
  return [p50, p99].map((ms) => ms.toFixed(1));
}
