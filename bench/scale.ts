// npm run bench:scale: how long a process takes to its first answer, what many processes get done, what rows weigh, and
// what records cost.
//
//   npm run bench:scale                        starts; 1, 8 and 32 processes; a million events, a million records
//   npm run bench:scale -- --only sizes        one of starts, load, sizes, records; --events 100000, --seconds 10,
//                                              --records 100000, --processes 1,4
//   npm run bench:scale -- --quick             a smoke test of seconds; writes nothing
//
// Writes starts and load to docs/performance.md where it measured both, sizes and records to docs/scale.md; not with
// --no-write.
//
// Load runs on the embedded server and on a PostgreSQL by URL: DATABASE_URL, a database of its own that may be filled,
// or one that this starts on a port of 127.0.0.1.
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, env, stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import type pg from 'pg';
import { readConfig } from '../src/config.ts';
import type { Database } from '../src/db/database.ts';
import { stopServer } from '../src/db/embedded/shared-server.ts';
import { openEngine } from '../src/db/open.ts';
import { migrate } from '../src/db/schema/migrate.ts';
import { createLog } from '../src/log.ts';
import { freePort } from './free-port.ts';
import { measureLoad } from './load.ts';
import { measureColdStart, measureEmptyStart, measureStart, stopDatabase } from './processes.ts';
import { measureRecords } from './records.ts';
import { startCairn } from './rpc.ts';
import type { Sample } from './sample.ts';
import { writeSection } from './section.ts';
import { measureSizes } from './sizes.ts';

type Opened = {
  db: Database;
  sql: pg.Client;
  /** How a process of its own reaches it. */
  connection: pg.ClientConfig;
  close(): Promise<void>;
};

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    events: { type: 'string' },
    records: { type: 'string' },
    seconds: { type: 'string' },
    processes: { type: 'string' },
    'no-write': { type: 'boolean', default: false },
  },
});
const { quick } = flags;
const processes = (flags.processes ?? (quick ? '1,2' : '1,8,32')).split(',').map(Number);
const seconds = Number(flags.seconds ?? (quick ? 1 : 5));
const events = Number(flags.events ?? (quick ? 1_000 : 1_000_000));
const records = Number(flags.records ?? (quick ? 10_000 : 1_000_000));
const starts = quick ? 2 : 7;
const log = createLog('error');
const directory = await mkdtemp(join(tmpdir(), 'cairn-scale-'));
// The server may run as another user, who must reach its directory.
await chmod(directory, 0o755);
let made = 0;

const PARTS = { starts: measureStarts, load: measureLoads, sizes: measureRows, records: measureKept };
const SECTIONS = [
  { page: 'performance', section: 'scale', parts: ['starts', 'load'] },
  { page: 'scale', section: 'sizes', parts: ['sizes'] },
  { page: 'scale', section: 'records', parts: ['records'] },
];
try {
  const found = new Map<string, string>();
  for (const [name, measure] of Object.entries(PARTS)) {
    if (flags.only !== undefined && flags.only !== name) continue;
    stderr.write(`${name}\n`);
    found.set(name, (await measure()).join('\n'));
    stdout.write(`${found.get(name)}\n\n`);
  }
  for (const { page, section, parts } of SECTIONS) {
    if (quick || flags['no-write'] || !parts.every((name) => found.has(name))) continue;
    const command = ['npm run bench:scale', ...(argv.length > 2 ? ['--', ...argv.slice(2)] : [])].join(' ');
    const made = `Made by \`${command}\` on ${new Date().toISOString().slice(0, 10)}.`;
    const report = [made, ...parts.map((name) => found.get(name))].join('\n\n');
    stderr.write(`wrote ${await writeSection(section, report, page)}\n`);
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function measureStarts(): Promise<string[]> {
  const dataDir = await fresh('starts');
  const empty = await measureEmptyStart(() => fresh('empty'), starts);
  const keeper = await startCairn(dataDir);
  await keeper.call('list_projects', {});
  const warm = await measureStart(dataDir, starts);
  await keeper.stop();
  const existing = await measureColdStart(dataDir, starts);
  stopDatabase(dataDir);
  const row = (what: string, { p50, p99 }: Sample) =>
    `| ${what} | ${Math.round(p50)} ms | ${Math.round(p99)} ms | ${(p50 / warm.echo.p50).toFixed(1)} |`;
  return [
    '| process start to the first tool answer | p50 | p99 | times the bare SDK |',
    '| --- | --- | --- | --- |',
    row('bare SDK', warm.echo),
    row('second process, server running', warm.cairn),
    row('first process, existing directory', existing),
    row('first process, empty directory', empty),
  ];
}

async function measureLoads(): Promise<string[]> {
  const rows: string[] = [];
  const embedded = await open({ dataDir: await fresh('load') });
  rows.push(...(await measureLoad('embedded', embedded, { processes, seconds })));
  await embedded.close();
  const server = await openByUrl();
  rows.push(...(await measureLoad('PostgreSQL by URL', server, { processes, seconds })));
  await server.close();
  return [
    '| engine | processes | workspaces | commands a second | p50 / p99 | claims a second | p50 / p99 |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ];
}

async function measureRows(): Promise<string[]> {
  const database = await open({ dataDir: await fresh('sizes') });
  try {
    return await measureSizes(database, events);
  } finally {
    await database.close();
  }
}

async function measureKept(): Promise<string[]> {
  const database = await open({ dataDir: await fresh('records') });
  try {
    return await measureRecords(database, await fresh('files'), records);
  } finally {
    await database.close();
  }
}

async function open(settings: Record<string, string>): Promise<Opened> {
  const engine = await openEngine(readConfig({ lingerSeconds: '0', ...settings }, {}), log);
  const sql = await engine.connect();
  await migrate(sql);
  return {
    db: engine.db,
    sql,
    connection: {
      host: sql.host,
      port: sql.port,
      user: sql.user,
      database: sql.database,
      password: sql.password ?? undefined,
    },
    async close() {
      await sql.end();
      await engine.close();
    },
  };
}

async function openByUrl(): Promise<Opened> {
  if (env['DATABASE_URL']) return open({ databaseUrl: env['DATABASE_URL'] });
  const dataDir = await fresh('url');
  const port = await freePort();
  const first = await open({ dataDir });
  await first.sql.query(`alter system set listen_addresses = '127.0.0.1'`);
  await first.sql.query(`alter system set port = ${port}`);
  await first.close();
  const keeper = await open({ dataDir });
  const database = await open({ databaseUrl: `postgres://cairn@127.0.0.1:${port}/cairn` });
  return {
    ...database,
    async close() {
      await database.close();
      await keeper.close();
      await stopServer({ dataDir });
    },
  };
}

async function fresh(name: string): Promise<string> {
  made += 1;
  const dataDir = join(directory, `${name}-${made}`);
  await mkdir(dataDir);
  return dataDir;
}
