// Writes what is made of the declared event types: their chapter of supabase/code/, and their table in docs/events.md.
// Then what is made of the SQL: supabase/schema/, a file a chapter, the schema as PostgreSQL itself describes it, for
// reviewers to read the diff of; supabase/types.ts, its types; and supabase/migrations/…_code.sql, all repeatable code
// as one file for the Supabase CLI. `--check` writes nothing and fails when a file is stale. It is read from the
// catalogue because the bundled binaries have no pg_dump.
//
//   npm run schema               write
//   npm run schema -- --check    compare
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv, exit, stderr, stdout } from 'node:process';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { findBinaries } from '../../src/db/embedded/binaries.ts';
import { ensureServer, stopServer } from '../../src/db/embedded/shared-server.ts';
import { migrate } from '../../src/db/schema/migrate.ts';
import { createLog } from '../../src/log.ts';
import { PACKAGE_ROOT } from '../../src/package-root.ts';
import { describeSchema } from './catalogue.ts';
import { byChapter } from './chapters.ts';
import { codeFile } from './code-file.ts';
import { EVENT_TYPES_FILE, eventTypes, eventTypesSql, eventTypesTable } from './event-types.ts';
import { withGenerated } from './generated-part.ts';
import { generateTypes } from './types.ts';

const DUMP = 'supabase/schema/';
const EVENTS_PAGE = 'docs/events.md';

const pathOf = (path: string) => fileURLToPath(new URL(path, PACKAGE_ROOT));
const isCheck = argv.includes('--check');
// First, because the database applies the code.
await keep(await describeTypes());
const { texts, stale } = await describeFresh();
await keep(texts, stale);
if (!isCheck)
  stdout.write(`Wrote ${EVENT_TYPES_FILE}, ${DUMP}, supabase/types.ts and the numbered file of the code.\n`);

async function describeTypes(): Promise<Map<string, string>> {
  const types = await eventTypes();
  const page = await readFile(pathOf(EVENTS_PAGE), 'utf8');
  return new Map([
    [EVENT_TYPES_FILE, eventTypesSql(types)],
    [EVENTS_PAGE, withGenerated(page, eventTypesTable(types))],
  ]);
}

/** The files as they should be, and those that should not be there. */
async function describeFresh(): Promise<{ texts: Map<string, string>; stale: string[] }> {
  const code = await codeFile();
  const dataDir = await mkdtemp(join(tmpdir(), 'cairn-schema-'));
  const binaries = await findBinaries();
  const server = await ensureServer({ dataDir, log: createLog('silent'), binaries });
  try {
    const client = new pg.Client(server.connection);
    await client.connect();
    try {
      await migrate(client);
      const chapters = [...(await byChapter(await describeSchema(client)))];
      const texts = new Map(chapters.map(([chapter, text]) => [`${DUMP}${chapter}.sql`, text]));
      texts.set('supabase/types.ts', await generateTypes(client));
      texts.set(code.path, code.text);
      const there = await readdir(pathOf(DUMP)).catch(() => []);
      return {
        texts,
        stale: [...code.replaced, ...there.map((file) => `${DUMP}${file}`).filter((path) => !texts.has(path))],
      };
    } finally {
      await client.end();
    }
  } finally {
    await server.release();
    await stopServer({ dataDir, binaries });
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function keep(texts: ReadonlyMap<string, string>, stale: readonly string[] = []): Promise<void> {
  if (isCheck) return check(texts, stale);
  await mkdir(pathOf(DUMP), { recursive: true });
  for (const path of stale) await rm(pathOf(path));
  for (const [path, text] of texts) await writeFile(pathOf(path), text);
}

async function check(texts: ReadonlyMap<string, string>, stale: readonly string[]): Promise<void> {
  for (const path of stale) fail(`${path} is made of nothing any more.`);
  for (const [path, text] of texts) {
    const stored = await readFile(pathOf(path), 'utf8').catch(() => '');
    if (stored === text) continue;
    const [before, after] = [stored.split('\n'), text.split('\n')];
    const line = after.findIndex((each, at) => each !== before[at]);
    fail(`${path} is stale from line ${line + 1}.\n- ${before[line]}\n+ ${after[line]}`);
  }
}

function fail(what: string): never {
  stderr.write(`${what} Run npm run schema.\n`);
  exit(1);
}
