// npm run bench: measures this build against a floor measured in the same run, and writes docs/performance.md.
//
//   npm run bench                      100, 10,000 and 100,000 tasks
//   npm run bench -- --full            and 1,000,000 events
//   npm run bench -- --quick           a smoke test of seconds; writes nothing
//   npm run bench -- --sizes 100,5000  other sizes; --calls 500, --seconds 10, --no-write
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import type pg from 'pg';
import { type Actor, NOBODY } from '../src/db/database.ts';
import { ensureServer, serverStatus } from '../src/db/embedded/shared-server.ts';
import { createLog } from '../src/log.ts';
import { measureCalls, type Place } from './calls.ts';
import { connect, openFloor } from './floor.ts';
import { measureColdStart, measureMemory, measureStart, measureThroughput, stopDatabase } from './processes.ts';
import { type Found, type Replay, renderReport, type Stage } from './report.ts';
import { startCairn } from './rpc.ts';
import { timed } from './sample.ts';
import { writeSection } from './section.ts';
import { type Caller, countEvents, seedNotes, seedProject, seedTasks } from './seed.ts';

type Opened = Place & {
  dataDir: string;
  size: number;
  caller: Caller;
  /** Tasks made in a second. */
  seeding: number;
  close(): Promise<void>;
};

const FULL_EVENTS = 1_000_000;
const READ_MODEL = ['projects', 'tasks', 'artifacts', 'decisions', 'checkpoints', 'agent_sessions', 'messages']
  .map((name) => `public.${name}`)
  .concat('app.search_documents', 'app.task_counts');

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    full: { type: 'boolean', default: false },
    sizes: { type: 'string' },
    calls: { type: 'string' },
    seconds: { type: 'string' },
    'no-write': { type: 'boolean', default: false },
  },
});
const sizes = (flags.sizes ?? (flags.quick ? '20,200' : '100,10000,100000')).split(',').map(Number);
const n = Number(flags.calls ?? (flags.quick ? 20 : 300));
// A few calls of a kind, then the next kind; the first after a change of kind meet cold caches.
const rounds = flags.quick ? 2 : 10;
const times = { rounds, calls: Math.ceil(n / rounds), warmup: flags.quick ? 2 : 10 };
const seconds = Number(flags.seconds ?? (flags.quick ? 1 : 5));
const starts = flags.quick ? 2 : 7;

const dataDirs: string[] = [];
try {
  const report = renderReport(await measure());
  stdout.write(`${report}\n`);
  if (!flags.quick && !flags['no-write']) progress(`wrote ${await writeSection('bench', report)}`);
} finally {
  for (const dataDir of dataDirs) {
    stopDatabase(dataDir);
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function measure(): Promise<Found> {
  const databases: Opened[] = [];
  for (const size of sizes) databases.push(await openDatabase(size));
  const stages = await measureStages(
    databases.map((database) => ({ ...database, name: `${whole(database.size)} tasks` })),
  );

  // The rest is measured where there is most.
  const largest = databases.pop();
  if (largest === undefined) throw new Error('There is no size to measure.');
  for (const { close } of databases) await close();
  const { dataDir, caller, cairn, floor, refs, project } = largest;
  const history = await measureHistory(caller);
  if (flags.full) {
    const { ms } = await timed(async () => seedNotes(caller, refs, FULL_EVENTS - (await countEvents(caller))));
    progress(`${FULL_EVENTS} events: seeded in ${Math.round(ms / 1_000)} s`);
    const wide = await measureStages([{ ...largest, name: `${whole(FULL_EVENTS)} events` }]);
    stages.push(...wide.map(({ tasks, ...stage }) => stage));
    history.push(...(await measureHistory(caller)));
  }
  const { pid: postmaster, server_version } = await serverStatus(dataDir);
  if (postmaster === null) throw new Error('The database server has stopped.');
  const memory = measureMemory({ cairn: cairn.pid, echo: floor.pid, postmaster });
  const throughput = await measureThroughput({ dataDir, project, refs, seconds });
  progress('throughput');
  const warm = await measureStart(dataDir, starts);
  await largest.close();
  const cold = await measureColdStart(dataDir, starts);
  progress('starts');
  const command = ['npm run bench', ...(argv.length > 2 ? ['--', ...argv.slice(2)] : [])].join(' ');
  const { seeding } = largest;
  return { command, times, stages, history, memory, throughput, seeding, server_version, starts: { warm, cold } };
}

/** A database of its own with a project of so many tasks, what is asked of it, and its floor. */
async function openDatabase(size: number): Promise<Opened> {
  const dataDir = await mkdtemp(join(tmpdir(), 'cairn-bench-'));
  dataDirs.push(dataDir);
  const server = await ensureServer({ dataDir, log: createLog('error') });
  // Migrates the database.
  const cairn = await startCairn(dataDir);
  await cairn.call('list_projects', {});
  const sql = await connect(server.connection);
  const floor = await openFloor(server.connection);
  const caller = { sql, actor: await actorOf(sql) };
  await warmUp(caller, { cairn, floor });

  const project = `b${size}`;
  await seedProject(caller, project);
  const { ms, result: refs } = await timed(() => seedTasks(caller, project, size));
  const seeding = (size / ms) * 1_000;
  progress(`${size} tasks: seeded ${Math.round(seeding)}/s`);

  async function close(): Promise<void> {
    await Promise.all([cairn.stop(), floor.close(), sql.end()]);
    await server.release();
  }
  return { dataDir, size, caller, cairn, floor, project, refs, seeding, close };
}

async function measureStages(databases: (Opened & { name: string })[]): Promise<Stage[]> {
  for (const { caller } of databases) await analyze(caller);
  const found = await measureCalls(databases, times);
  progress(`${databases.map(({ name }) => name).join(', ')}: measured`);
  return found.map(({ place: { name, size }, ...measured }) => ({ name, tasks: size, ...measured }));
}

/** Both processes compile what they run often; a process of an hour ago has done so. */
async function warmUp(caller: Caller, { cairn, floor }: Pick<Place, 'cairn' | 'floor'>): Promise<void> {
  await seedProject(caller, 'warm');
  const refs = await seedTasks(caller, 'warm', 100);
  await measureCalls([{ cairn, floor, project: 'warm', refs }], times);
  await analyze(caller);
}

/** Gives the planner the statistics that autovacuum would collect within a minute. */
async function analyze({ sql }: Pick<Caller, 'sql'>): Promise<void> {
  await sql.query('vacuum analyze');
  await sql.query('checkpoint');
}

/** The local user that `cairn` made when it started. */
async function actorOf(sql: pg.Client): Promise<Actor> {
  const identity = { issuer: 'local', subject: 'owner', name: 'bench' };
  const text = 'select public.sign_in(identity => $1, actor => $2) as result';
  const { rows } = await sql.query<{ result: Pick<Actor, 'user_id' | 'tenant_id'> }>(text, [identity, NOBODY]);
  return { ...NOBODY, ...rows[0]?.result, agent: 'seeder', client: 'bench' };
}

/** Replays the whole log into an empty read model, again where nothing differs, and verifies it. */
async function measureHistory({ sql, actor }: Caller): Promise<Replay[]> {
  const events = await countEvents({ sql, actor });
  const found: Replay[] = [];
  await sql.query(`truncate ${READ_MODEL.join(', ')} cascade`);
  for (const [what, fn] of [
    ['replay into an empty read model', 'replay_events'],
    ['replay where nothing differs', 'replay_events'],
    ['verify', 'verify_events'],
  ] as const) {
    const text = `select public.${fn}(actor => $1) as result`;
    const { ms, result } = await timed(() => sql.query<{ result: { ok?: boolean } }>(text, [actor]));
    const [row] = result.rows;
    if (row?.result.ok === false) throw new Error(JSON.stringify(row.result));
    progress(`${what}: ${events} events in ${Math.round(ms)} ms`);
    found.push({ what, events, ms });
  }
  return found;
}

function whole(value: number): string {
  return value.toLocaleString('en-US');
}

function progress(text: string): void {
  stderr.write(`${text}\n`);
}
