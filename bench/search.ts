// npm run bench:search: what is found in which script and kind of name, and how long it takes beside 100,000 notes in
// all of them.
//
//   npm run bench:search                             writes docs/performance.md
//   npm run bench:search -- --notes 2000 --no-write
//
// On the embedded server; with DATABASE_URL on a database of one's own that is migrated and may be filled.
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { readConfig } from '../src/config.ts';
import { sqlFunction } from '../src/db/sql-function.ts';
import { newId } from '../src/events/ids.ts';
import { openLocal } from '../src/local.ts';
import { createLog } from '../src/log.ts';
import { PACKAGE_ROOT } from '../src/package-root.ts';
import { Hits } from '../src/services/search.ts';
import { stopDatabase } from './processes.ts';
import { summary, timed } from './sample.ts';
import { table, writeSection } from './section.ts';

/** The number of queries of a kind, how many found their target, and how long each took. */
type Seen = { queries: number; found: number; taken: number[] };

const searchTasks = sqlFunction('search', Hits);

const BATCH = 200;
const WORDS = 40;
const TURNS = 5;

const { values: flags } = parseArgs({
  options: { notes: { type: 'string', default: '100000' }, 'no-write': { type: 'boolean', default: false } },
});
const notes = Number(flags.notes);
const searches: { kind: string; title: string; queries: string[] }[] = JSON.parse(
  await readFile(new URL('test/fixtures/searches.json', PACKAGE_ROOT), 'utf8'),
);
const vocabulary = [...new Set(searches.flatMap(({ title }) => title.split(' ')))];

const dataDir = await mkdtemp(join(tmpdir(), 'cairn-search-'));
await chmod(dataDir, 0o755);
const { db, actor, close } = await openLocal(readConfig({ dataDir }), createLog('error'));
try {
  await write();
  const report = render(await measure());
  stdout.write(`${report}\n`);
  if (!flags['no-write']) stderr.write(`wrote ${await writeSection('search', report)}\n`);
} finally {
  await close();
  stopDatabase(dataDir);
  await rm(dataDir, { recursive: true, force: true });
}

/** The tasks to be found, and notes of words that the titles have, each word in a few notes of a hundred. */
async function write(): Promise<void> {
  const created = { stream: `project:${newId()}`, type: 'project.created', data: { slug: 'search', name: 'Search' } };
  await append([created]);
  await append(
    searches.map(({ title }) => ({
      stream: `task:${newId()}`,
      type: 'task.created',
      data: { project: 'search', title },
    })),
  );
  for (let done = 0; done < notes; done += BATCH) {
    await append(Array.from({ length: Math.min(BATCH, notes - done) }, (_, at) => note(done + at)));
    if (done % 10_000 === 0) stderr.write(`${done} notes\n`);
  }
}

function note(number: number): object {
  const words = Array.from({ length: WORDS }, (_, at) =>
    at % 20 === 0
      ? vocabulary[(number * 7 + at * 13) % vocabulary.length]
      : `w${((number * 31 + at * 17) % 5_000).toString(36)}`,
  );
  return { stream: 'project:search', type: 'project.noted', data: { kind: 'note', text: words.join(' ') } };
}

async function append(events: object[]): Promise<void> {
  await db.call('append_events', { events }, actor);
}

async function measure(): Promise<Map<string, Seen>> {
  const kinds = new Map<string, Seen>();
  for (const { kind, title, queries } of searches) {
    const seen = kinds.get(kind) ?? { queries: 0, found: 0, taken: [] };
    kinds.set(kind, seen);
    for (const query of queries) {
      const { hits } = await searchTasks({ db, actor }, { query, kinds: ['task'] });
      seen.queries += 1;
      if (hits.length === 1 && hits[0]?.title === title) seen.found += 1;
      const taken: number[] = [];
      for (let turn = 0; turn < TURNS; turn += 1)
        taken.push((await timed(() => db.call('search', { query }, actor))).ms);
      seen.taken.push(summary(taken).p50);
    }
  }
  return kinds;
}

function render(kinds: Map<string, Seen>): string {
  const rows = [...kinds].map(([kind, { queries, found, taken }]) => [
    kind,
    `${found} of ${queries}`,
    summary(taken).p50.toFixed(1),
    Math.max(...taken).toFixed(1),
  ]);
  return [
    `${notes.toLocaleString('en')} notes of ${WORDS} words in all of the scripts below, two words of each from the titles that are looked for.`,
    '',
    ...table(['script or kind of name', 'found, and nothing else', 'median ms', 'slowest ms'], rows),
  ].join('\n');
}
