// npm run mutants: takes the mitigations of docs/security.md and the refusals of the core out of the code, one by one,
// and names those that no test misses.
//
//   npm run mutants                       all of them
//   npm run mutants -- T4 core            those of some threats, and of the core
//   npm run mutants -- app.check_holder   those of a function in SQL
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, env, execPath, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { Connection } from '../src/db/embedded/postgres-process.ts';
import { ensureServer, stopServer } from '../src/db/embedded/shared-server.ts';
import { migrate } from '../src/db/schema/migrate.ts';
import { createLog } from '../src/log.ts';
import { PACKAGE_ROOT } from '../src/package-root.ts';
import { MUTANTS } from './mutants/all.ts';
import type { Mutant } from './mutants/mutant.ts';
import { placeOf, readSql, SQL } from './mutants/sql.ts';

const ROOT = fileURLToPath(PACKAGE_ROOT);
const VITEST = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
const COPIED = [
  ...['src', 'test', 'scripts', 'supabase', 'build', 'dist'],
  ...['package.json', 'tsconfig.json', 'vitest.config.ts'],
];
const AT_ONCE = 2;
// The slowest test has less; whoever waits longer waits for ever.
const TRY_MS_MAX = 180_000;

/** A copy of the tree, and the database that its tests are to use. */
type Copy = { tree: string; connection: Connection };
/** A replacement of the text between two offsets of a file. */
type Edit = { file: string; from: number; to: number; replace: string };

const chosen = new Set(argv.slice(2));
const mutants = MUTANTS.filter(
  ({ threat, within = '' }) => chosen.size === 0 || chosen.has(threat) || chosen.has(within),
);
const sqlFiles = await readSql(ROOT);
const waiting = [...mutants];
const unnoticed: string[] = [];
const work = await mkdtemp(join(tmpdir(), 'cairn-mutants-'));
// Ends with what is under way, so that no server and no copy stays behind.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void waiting.splice(0));
try {
  if (mutants.length === 0) {
    const known = [...new Set(MUTANTS.map(({ threat }) => threat))].join(', ');
    throw new Error(`There is no mutant of ${[...chosen].join(', ')}. There are: ${known}.`);
  }
  // The account of the server passes through here to its own directory.
  await chmod(work, 0o755);
  await Promise.all(Array.from({ length: AT_ONCE }, (_, number) => takeTurns(join(work, String(number)))));
} finally {
  await rm(work, { recursive: true, force: true });
}
stdout.write(`${mutants.length} mutants, ${unnoticed.length} unnoticed${unnoticed.length === 0 ? '.' : ':'}\n`);
for (const line of unnoticed) stdout.write(`  ${line}\n`);
process.exitCode = unnoticed.length === 0 ? 0 : 1;

/** Tries mutants in a copy of the tree, on one server, until none is left. */
async function takeTurns(tree: string): Promise<void> {
  await mkdir(tree);
  for (const name of COPIED) await cp(join(ROOT, name), join(tree, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'), 'junction');
  const dataDir = join(tree, 'data');
  const server = await ensureServer({ dataDir, log: createLog('silent') });
  // The server's own database holds the connection that keeps it running.
  const connection = { ...server.connection, database: 'mutant' };
  const kept = server.connection.database;
  try {
    for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
      const started = Date.now();
      await empty(connection, kept);
      const verdict = await tried({ tree, connection }, mutant).catch((error: Error) => error.message);
      const seconds = ((Date.now() - started) / 1_000).toFixed(1);
      const { threat, test, name, within, file, find } = mutant;
      stdout.write(`${threat.padEnd(7)}${verdict ?? 'noticed'}  ${test} › ${name}  ${seconds} s\n`);
      if (verdict !== undefined) unnoticed.push(`${threat} ${verdict}: ${within ?? file}: ${find}`);
    }
  } finally {
    await server.release();
    await stopServer({ dataDir });
  }
}

/**
 * Nothing is there that an earlier mutant left: no role but the superuser, no database but those of the server and an
 * empty one.
 */
async function empty(connection: Connection, kept: string): Promise<void> {
  const client = new pg.Client({ ...connection, database: 'postgres' });
  await client.connect();
  try {
    const { rows } = await client.query<{ drop: string }>(
      `select format('drop database %I with (force)', datname) as drop from pg_database where datname not in ('postgres', $1) and not datistemplate
       union all select format('drop owned by %1$I; drop role %1$I', rolname) from pg_roles where rolname !~ '^pg_' and rolname <> current_user`,
      [kept],
    );
    for (const { drop } of rows) await client.query(drop);
    await client.query(`create database ${connection.database}`);
  } finally {
    await client.end();
  }
}

/** Returns what is wrong, if anything: the test that the mutant names must pass without it and fail with it. */
async function tried({ tree, connection }: Copy, mutant: Mutant): Promise<string | undefined> {
  const { file, from, to, replace } = mutant.file === SQL ? sqlEdit(mutant) : await edit(tree, mutant);
  const path = join(tree, file);
  const source = await readFile(path, 'utf8');
  const isProgram = file.startsWith('src/');
  await writeFile(path, source.slice(0, from) + replace + source.slice(to));
  try {
    if (mutant.file === SQL) await migrated({ tree, connection });
    if (isProgram) await bundle(tree);
    const { failed, passed, broken } = await outcome({ tree, connection }, mutant);
    if (failed + passed === 0 && !broken) return 'names no test that is there';
    if (broken) return 'breaks the whole suite, which shows nothing';
    return failed > 0 ? undefined : 'SURVIVES';
  } finally {
    await writeFile(path, source);
    if (isProgram) await bundle(tree);
  }
}

/** Many tests start the program, not its source. */
async function bundle(tree: string): Promise<void> {
  const [code] = await once(spawn(execPath, [join('build', 'scripts', 'bundle.js')], { cwd: tree }), 'exit');
  if (code !== 0) throw new Error('cannot be bundled');
}

/** A mutant that is no SQL would fail every test. */
async function migrated({ tree, connection }: Copy): Promise<void> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    await migrate(client, { root: join(tree, SQL) });
  } finally {
    await client.end();
  }
}

function sqlEdit({ replace, ...mutant }: Mutant): Edit {
  return { ...placeOf(sqlFiles, mutant), replace: replace.trim() };
}

async function edit(tree: string, { file, find, replace }: Mutant): Promise<Edit> {
  const [before = '', ...after] = (await readFile(join(tree, file), 'utf8')).split(find);
  if (after.length !== 1) throw new Error('is not there exactly once');
  return { file, from: before.length, to: before.length + find.length, replace };
}

async function outcome(
  { tree, connection }: Copy,
  { test, name }: Mutant,
): Promise<{ failed: number; passed: number; broken: boolean }> {
  const report = join(tree, 'report.json');
  await rm(report, { force: true });
  const pattern = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const vitest = spawn(execPath, [VITEST, 'run', test, '-t', pattern, '--reporter=json', `--outputFile=${report}`], {
    cwd: tree,
    stdio: 'ignore',
    env: { ...env, CAIRN_TEST_ALL: '1', CAIRN_TEST_SERVER: JSON.stringify(connection) },
    timeout: TRY_MS_MAX,
  });
  await once(vitest, 'exit');
  const {
    numFailedTests: failed,
    numPassedTests: passed,
    testResults,
  } = JSON.parse(await readFile(report, 'utf8')) as {
    numFailedTests: number;
    numPassedTests: number;
    testResults: { message: string }[];
  };
  return { failed, passed, broken: testResults.some(({ message }) => message !== '') };
}
