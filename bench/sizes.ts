// Measures the size of rows and their indexes for the users of the plan. Each has a workspace of 5 projects, 50 tasks,
// 100 artifacts, 20 checkpoints, 10 decisions and 500 events. The first users append their events; the others are
// copies of their rows under new ids. The copies pass the same indexes and are made ten times as fast.
import { stderr } from 'node:process';
import type pg from 'pg';
import { type Database, NOBODY } from '../src/db/database.ts';
import { newId } from '../src/events/ids.ts';
import { signInAs } from '../src/local.ts';
import { timed } from './sample.ts';
import { table } from './section.ts';
import type { Caller } from './seed.ts';

// Each task is touched once in a transaction, as commands do it: what is in between can be pruned.
const BATCH_MAX = 50;
const EVENTS_PER_USER = 500;
const EVENTS_A_YEAR = 2_500;
const SEEDED_USERS_MAX = 50;
const SHOWN_MIN = 0.005;
// The payload size that the plan assumes.
const PAYLOAD_BYTES = 1_000;
// The version of a claim that is the second event of its task.
const CLAIMED = Object.freeze({ lock_token: 2 });

const SIZES = `
  select format('%s.%s', n.nspname, c.relname) as name, c.reltuples::float8 as rows,
    pg_table_size(c.oid)::float8 as heap, pg_indexes_size(c.oid)::float8 as indexes
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'app') and c.relkind = 'r' and c.reltuples > 0 order by pg_total_relation_size(c.oid) desc`;

const COPIED = `
  select format('%I.%I', n.nspname, c.relname) as name, array_agg(quote_ident(a.attname)) as columns,
    array_agg(case when a.atttypid = 'uuid'::regtype then format('pg_temp.other(x.%I, n)', a.attname)
      when a.atttypid = 'uuid[]'::regtype then format('array(select pg_temp.other(u, n) from unnest(x.%I) u)', a.attname)
      when a.attname = 'stream' then $$split_part(x.stream, ':', 1) || ':' || pg_temp.other(split_part(x.stream, ':', 2)::uuid, n)$$
      else format('x.%I', a.attname) end) as copies
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
  where n.nspname in ('public', 'app') and c.relkind = 'r'
  group by 1 having bool_or(a.atttypid = 'uuid'::regtype)`;

// The time that an id of version 7 begins with stays, and with it the order of ids. Every number makes another id of
// the same one.
const OTHER = `
  create function pg_temp.other(id uuid, n integer) returns uuid language sql immutable as
    $$ select overlay(id::text placing lpad(to_hex(('x' || right(id::text, 3))::bit(12)::integer # n), 3, '0') from 34)::uuid $$`;

/** The rows of a table, and the bytes of the table and of its indexes. */
type Size = { name: string; rows: number; heap: number; indexes: number };
/** All events, and the bytes of a payload on average. */
type Log = { events: number; payload: number };
type Event = { stream: string; type: string; data: object };

export async function measureSizes({ db, sql }: { db: Database; sql: pg.Client }, events: number): Promise<string[]> {
  const users = Math.ceil(events / EVENTS_PER_USER);
  const copies = Math.ceil(users / SEEDED_USERS_MAX);
  const seeded = Math.ceil(users / copies);
  for (let at = 0; at < seeded; at++) {
    const identity = { issuer: 'bench', subject: `user ${at}`, name: `User ${at}` };
    const { user_id, tenant_id } = await signInAs({ db, actor: NOBODY }, { identity });
    await work({ sql, actor: { user_id, tenant_id, agent: 'seeder', client: 'bench' } }, at);
    if (at % 10 === 9) stderr.write(`${at + 1} users\n`);
  }
  const { ms } = await timed(() => copy(sql, copies - 1));
  stderr.write(`copied ${copies - 1} times in ${Math.round(ms / 1_000)} s\n`);
  await sql.query('vacuum analyze');
  const { rows: sizes } = await sql.query<Size>(SIZES);
  const { rows } = await sql.query<Log>(
    'select count(*)::int as events, avg(pg_column_size(payload))::float8 as payload from public.events',
  );
  return report(sizes, rows[0] ?? { events: 0, payload: 0 });
}

async function copy(sql: pg.Client, count: number): Promise<void> {
  const { rows: tables } = await sql.query<{ name: string; columns: string[]; copies: string[] }>(COPIED);
  await sql.query(OTHER);
  await sql.query('set session_replication_role = replica');
  for (const { name, columns, copies } of tables) {
    const text = `insert into ${name} (${columns}) select ${copies} from ${name} x, generate_series(1, $1::int) n`;
    await sql.query(text, [count]);
  }
  await sql.query('reset session_replication_role');
}

/** Plays the work of a user so far: of 50 tasks, 45 were claimed, 40 completed and 3 given up. */
async function work(caller: Caller, user: number): Promise<void> {
  const say = words(user);
  const projects = many(5, (at) => `project-${at}`);
  const tasks = many(50, (at) => ({ id: newId(), project: `project-${at % 5}` }));
  const on = (at: number) => `task:${tasks[at % 50]?.id}`;
  await append(
    caller,
    projects.map((slug) =>
      event(`project:${newId()}`, 'project.created', { slug, name: say(20), description: say(300) }),
    ),
  );
  await append(
    caller,
    tasks.map(({ id, project }) =>
      event(`task:${id}`, 'task.created', {
        ...{ project, title: say(60), description: say(500) },
        acceptance_criteria: [say(80), say(80)],
      }),
    ),
  );
  for (const { id } of tasks.slice(0, 45)) await claim(caller, id);
  const held = [
    ...many(100, (at) =>
      event(`artifact:${newId()}`, 'artifact.added', {
        ...{ task: tasks[at % 45]?.id, type: 'pr', ref: `https://example.test/pull/${at}`, summary: say(200) },
      }),
    ),
    ...many(40, (at) =>
      event(on(at), 'task.completed', {
        summary: say(400),
        evidence: [1, 2].map((criterion) => ({ criterion, note: say(100) })),
      }),
    ),
    ...many(3, (at) => event(on(40 + at), 'task.released', { outcome: 'failed', reason: say(200) })),
  ];
  const events = [
    ...held.map((each) => ({ ...each, expect: CLAIMED })),
    ...many(10, (at) =>
      event(`decision:${newId()}`, 'decision.recorded', {
        ...{ project: projects[at % 5], title: say(60), options: [say(40), say(40)], choice: say(40) },
        rationale: say(500),
      }),
    ),
    ...many(20, (at) =>
      event(`checkpoint:${newId()}`, 'checkpoint.saved', {
        ...{ project: projects[at % 5], label: say(30), summary: say(500), resume_instructions: say(400) },
      }),
    ),
  ];
  // The 100 are the events of projects, tasks and claims.
  const rest = EVENTS_PER_USER - 100 - events.length;
  const notes = many(rest, (at) => event(on(at), 'task.noted', { kind: 'progress', text: say(300) }));
  await append(caller, [...events, ...notes]);
}

function event(stream: string, type: string, data: object): Event {
  return { stream, type, data };
}

function many<T>(count: number, make: (at: number) => T): T[] {
  return Array.from({ length: count }, (_, at) => make(at));
}

async function append({ sql, actor }: Caller, events: object[]): Promise<void> {
  const text = 'select public.append_events(events => $1, actor => $2)';
  for (let from = 0; from < events.length; from += BATCH_MAX) {
    const batch = JSON.stringify(events.slice(from, from + BATCH_MAX));
    await sql.query({ name: 'append_sizes', text, values: [batch, JSON.stringify(actor)] });
  }
}

async function claim({ sql, actor }: Caller, task: string): Promise<void> {
  const text = 'select public.claim_task(task => $1, actor => $2)';
  await sql.query({ name: 'claim_sizes', text, values: [task, JSON.stringify(actor)] });
}

const SYLLABLES = 'ba ce di fo gu ha ke li mo nu pa re si to vu wa xe yi zo an er il on us'.split(' ');

/** Prose of a length, of some thousand words of which few are frequent; the same for the same seed. */
function words(seed: number): (length: number) => string {
  let state = seed + 1;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  return (length) => {
    let text = '';
    while (text.length < length) {
      let rank = Math.floor(5_000 * random() ** 3);
      let word = '';
      do {
        word += SYLLABLES[rank % SYLLABLES.length];
        rank = Math.floor(rank / SYLLABLES.length);
      } while (rank > 0);
      text += `${word} `;
    }
    return text.slice(0, length).trim();
  };
}

function report(sizes: Size[], { events, payload }: Log): string[] {
  const total = sizes.reduce((sum, { heap, indexes }) => sum + heap + indexes, 0);
  const shown = sizes.filter(({ heap, indexes }) => (heap + indexes) / total >= SHOWN_MIN);
  const perEvent = total / events;
  // A payload is in the event, and about half as much again in the search index.
  const planned = perEvent + 1.5 * Math.max(0, PAYLOAD_BYTES - payload);
  const bytes = (size: number) => Math.round(size).toLocaleString('en-US');
  const megabytes = (size: number) => (size < 1e9 ? `${Math.round(size / 1e6)} MB` : `${(size / 1e9).toFixed(1)} GB`);
  const growth = (what: string, count: number) => [
    what,
    `${count.toLocaleString('en-US')} events`,
    megabytes(count * perEvent),
    megabytes(count * planned),
  ];
  return [
    ...table(
      [`table, at ${bytes(events)} events`, 'rows', 'bytes a row', 'index bytes a row', 'MB in all'],
      shown.map(({ name, rows, heap, indexes }) => [
        `\`${name}\``,
        ...[rows, heap / rows, indexes / rows].map(bytes),
        ((heap + indexes) / 1e6).toFixed(1),
      ]),
    ),
    '',
    `All tables together take ${megabytes(total)}: ${bytes(perEvent)} bytes for each event, with the task, the artifact or the search ` +
      `document that belongs to it. A payload is ${bytes(payload)} bytes on average.`,
    '',
    ...table(
      ['what grows', 'rows', 'as measured', 'with payloads of 1 KB'],
      [
        growth('an active user and year', EVENTS_A_YEAR),
        growth('1,000 active users, what they hold', 1_000 * EVENTS_PER_USER),
        growth('1,000 active users and year', 1_000 * EVENTS_A_YEAR),
      ],
    ),
  ];
}
