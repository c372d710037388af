// What rows and their indexes weigh, in a workspace with the proportions of the plan: to 500 events 50 tasks, 100
// artifacts, 20 checkpoints, 10 decisions and 5 projects.
import { stderr } from 'node:process';
import { newId } from '../dist/events/ids.js';
import { seedNotes, seedProject, seedTasks } from './seed.mjs';

const BATCH_MAX = 200;
const PER_USER = Object.freeze({ events: 500, tasks: 50, artifacts: 100, checkpoints: 20, decisions: 10 });
const EVENTS_A_YEAR = 2_500;
const NOBODY = { user_id: '00000000-0000-0000-0000-000000000000' };

const SIZES = `
  select format('%s.%s', n.nspname, c.relname) as name, c.reltuples::float8 as rows,
    pg_table_size(c.oid)::float8 as heap, pg_indexes_size(c.oid)::float8 as indexes
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'app') and c.relkind = 'r' and c.reltuples > 200 order by pg_total_relation_size(c.oid) desc`;

/** @param {{ db: import('../dist/db/database.js').Database, sql: import('pg').Client }} database @param {number} events @returns {Promise<string[]>} */
export async function measureSizes({ db, sql }, events) {
  const identity = { issuer: 'bench', subject: 'sizes', name: 'bench' };
  const { user_id, tenant_id } = await db.call('sign_in', { identity }, NOBODY);
  const caller = { sql, actor: { user_id, tenant_id, agent: 'seeder', client: 'bench' } };
  const users = events / PER_USER.events;
  await seedProject(caller, 'plan');
  const refs = await seedTasks(caller, 'plan', Math.round(users * PER_USER.tasks));
  stderr.write(`${refs.length} tasks\n`);
  await append(caller, users * PER_USER.artifacts, (at) => ({
    stream: `artifact:${newId()}`,
    type: 'artifact.added',
    data: { task: refs[at % refs.length], type: 'pr', ref: `https://example.test/pull/${at}`, summary: text(at, 200) },
  }));
  await append(caller, users * PER_USER.decisions, (at) => ({
    stream: `decision:${newId()}`,
    type: 'decision.recorded',
    data: { project: 'plan', title: text(at, 60), options: ['a', 'b'], choice: 'a', rationale: text(at, 400) },
  }));
  await append(caller, users * PER_USER.checkpoints, (at) => ({
    stream: `checkpoint:${newId()}`,
    type: 'checkpoint.saved',
    data: { project: 'plan', label: `Checkpoint ${at}`, summary: text(at, 400), resume_instructions: text(at, 300) },
  }));
  const { rows } = await sql.query('select count(*)::int as n from public.events');
  await seedNotes(caller, refs, Math.max(0, events - rows[0].n));
  await sql.query('vacuum analyze');
  const { rows: sizes } = await sql.query(SIZES);
  return report(sizes, events);
}

/** @param {{ name: string, rows: number, heap: number, indexes: number }[]} sizes @param {number} events */
function report(sizes, events) {
  const total = sizes.reduce((sum, { heap, indexes }) => sum + heap + indexes, 0);
  const perEvent = total / events;
  const bytes = (/** @type {number} */ size) => Math.round(size).toLocaleString('en-US');
  return [
    `| table, at ${events.toLocaleString('en-US')} events | rows | bytes a row | index bytes a row | MB in all |`,
    '| --- | --- | --- | --- | --- |',
    ...sizes.map(
      ({ name, rows, heap, indexes }) =>
        `| \`${name}\` | ${bytes(rows)} | ${bytes(heap / rows)} | ${bytes(indexes / rows)} | ${((heap + indexes) / 1e6).toFixed(1)} |`,
    ),
    '',
    `All tables: ${(total / 1e6).toFixed(0)} MB, ${bytes(perEvent)} bytes for each event with what belongs to it. ` +
      `A user and year of ${EVENTS_A_YEAR.toLocaleString('en-US')} events: ${((perEvent * EVENTS_A_YEAR) / 1e6).toFixed(1)} MB.`,
  ];
}

/** @param {import('./seed.mjs').Caller} caller @param {number} count @param {(at: number) => object} eventOf */
async function append({ sql, actor }, count, eventOf) {
  const statement = 'select public.append_events(events => $1, actor => $2)';
  for (let done = 0; done < count; done += BATCH_MAX) {
    const events = Array.from({ length: Math.min(BATCH_MAX, count - done) }, (_, at) => eventOf(done + at));
    await sql.query({ name: 'append_sizes', text: statement, values: [JSON.stringify(events), JSON.stringify(actor)] });
  }
}

/** @param {number} at @param {number} characters */
function text(at, characters) {
  const words = `The pelican of harbour ${at} carries lantern ${at * 7} past granite, copper and willow `;
  return words.repeat(Math.ceil(characters / words.length)).slice(0, characters);
}
