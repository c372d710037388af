// npm run bench:scale: how long a process takes to its first answer, what many processes get done, and what rows weigh.
//
//   npm run bench:scale                        starts; 1, 8 and 32 processes; rows and indexes at a million events
//   npm run bench:scale -- --only sizes        one of starts, load, sizes; --events 100000, --seconds 10, --processes 1,4
//   npm run bench:scale -- --quick             a smoke test of seconds; writes nothing
//
// Writes starts and load to docs/performance.md where it measured both, sizes to docs/scale.md; not with --no-write.
//
// Load runs on the embedded server and on a PostgreSQL by URL: DATABASE_URL, a database of its own that may be filled, or
// one that this starts on a port of 127.0.0.1.
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, env, stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { readConfig } from '../build/src/config.js';
import { stopServer } from '../build/src/db/embedded.js';
import { migrate } from '../build/src/db/migrate.js';
import { openEngine } from '../build/src/db/open.js';
import { createLog } from '../build/src/log.js';
import { freePort } from './free-port.mjs';
import { measureLoad } from './load.mjs';
import { measureColdStart, measureEmptyStart, measureStart, stopDatabase } from './processes.mjs';
import { startCairn } from './rpc.mjs';
import { writeSection } from './section.mjs';
import { measureSizes } from './sizes.mjs';

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    events: { type: 'string' },
    seconds: { type: 'string' },
    processes: { type: 'string' },
    'no-write': { type: 'boolean', default: false },
  },
});
const { quick } = flags;
const processes = (flags.processes ?? (quick ? '1,2' : '1,8,32')).split(',').map(Number);
const seconds = Number(flags.seconds ?? (quick ? 1 : 5));
const events = Number(flags.events ?? (quick ? 1_000 : 1_000_000));
const starts = quick ? 2 : 7;
const log = createLog('error');
const directory = await mkdtemp(join(tmpdir(), 'cairn-scale-'));
// The server may run as another user, who must reach its directory.
await chmod(directory, 0o755);
let made = 0;

const PARTS = { starts: measureStarts, load: measureLoads, sizes: measureRows };
const PAGES = { performance: ['starts', 'load'], scale: ['sizes'] };
try {
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const [name, measure] of Object.entries(PARTS)) {
    if (flags.only !== undefined && flags.only !== name) continue;
    stderr.write(`${name}\n`);
    found.set(name, (await measure()).join('\n'));
    stdout.write(`${found.get(name)}\n\n`);
  }
  for (const [page, parts] of Object.entries(PAGES)) {
    if (quick || flags['no-write'] || !parts.every((name) => found.has(name))) continue;
    const command = ['npm run bench:scale', ...(argv.length > 2 ? ['--', ...argv.slice(2)] : [])].join(' ');
    const made = `Made by \`${command}\` on ${new Date().toISOString().slice(0, 10)}.`;
    const report = [made, ...parts.map((name) => found.get(name))].join('\n\n');
    stderr.write(`wrote ${await writeSection(page === 'scale' ? 'sizes' : 'scale', report, page)}\n`);
  }
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function measureStarts() {
  const dataDir = await fresh('starts');
  const empty = await measureEmptyStart(() => fresh('empty'), starts);
  const keeper = await startCairn(dataDir);
  await keeper.call('list_projects', {});
  const warm = await measureStart(dataDir, starts);
  await keeper.stop();
  const existing = await measureColdStart(dataDir, starts);
  stopDatabase(dataDir);
  const row = (/** @type {string} */ what, /** @type {import('./sample.mjs').Sample} */ { p50, p99 }) =>
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

async function measureLoads() {
  const rows = [];
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

async function measureRows() {
  const database = await open({ dataDir: await fresh('sizes') });
  try {
    return await measureSizes(database, events);
  } finally {
    await database.close();
  }
}

/** @param {Record<string, string>} settings */
async function open(settings) {
  const engine = await openEngine(readConfig(settings, {}), log);
  const sql = await engine.connect();
  await migrate(sql);
  return {
    db: engine.db,
    sql,
    /** How a process of its own reaches it. */
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

async function openByUrl() {
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

/** @param {string} name */
async function fresh(name) {
  made += 1;
  const dataDir = join(directory, `${name}-${made}`);
  await mkdir(dataDir);
  return dataDir;
}
