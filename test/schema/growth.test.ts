import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FunctionName } from '../../src/db/functions.ts';
import { newId } from '../../src/events/ids.ts';
import { ask } from '../support/ask.ts';
import {
  append,
  type Caller,
  createProject,
  type Exported,
  exportAll,
  hold,
  importAll,
  type Request,
} from '../support/commands.ts';
import { growthOf } from '../support/costs.ts';
import { overClient } from '../support/database.ts';
import { explainAll, stepsOf } from '../support/plans.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';
import { upTo } from '../support/writers.ts';

// Compares the cost of a command with that on four times the data: a linear command costs four times as much, a
// quadratic one sixteen times.

const SIZES = [1, 4] as const;
const GROWTH_MAX = 8;

/** Tasks that wait for each other in ways that are hard on whoever follows them, and a log. */
type World = { size: number; graph: Graph; log: Log; stranger: Caller };
type Graph = { who: Caller; chain: string[]; lattice: string[][]; hub: string; wide: string[] };
type Log = { who: Caller; cancelled: number; exported: Exported[] };

let scratch: Scratch;
let worlds: World[];

beforeAll(async () => {
  scratch = await createScratch();
  // Plans are made without statistics of the tables, like those before PostgreSQL 18.
  await scratch.sql.query(`delete from pg_statistic where starelid in (
    select oid from pg_class where relnamespace in ('app'::regnamespace, 'public'::regnamespace))`);
  worlds = [];
  for (const size of SIZES) {
    const [graph, log, stranger] = [await drawGraph(size), await writeLog(size), await signIn('stranger')];
    worlds.push({ size, graph, log, stranger });
  }
}, 120_000);
afterAll(() => scratch.drop());

async function signIn(name: string): Promise<Caller> {
  const { actor } = await scratch.signIn(name);
  return { db: overClient(scratch.sql), actor };
}

const ids = (count: number) => upTo(count).map(() => newId());
const created = (id: string, data: object = {}): Request => ({
  stream: `task:${id}`,
  type: 'task.created',
  data: { project: 'web', title: 'Write the docs', ...data },
});
const changed = (task: string | undefined, type: string, data: object): Request => ({
  stream: `task:${task}`,
  type: `task.${type}`,
  data,
});

// Commands would make the same rows, in minutes.
const DRAW = `
  with drawn as (
    select t.id, t.at, t.dependencies from jsonb_to_recordset($4) as t (id uuid, at integer, dependencies uuid[])),
  tasks as (
    insert into public.tasks (tenant_id, id, project_id, user_id, created_by, number, ref, title, status, priority, dependencies,
        open_dependencies, version, created_at, updated_at)
      select $1, id, $2, $3, 'test', at, 'web-' || at, 'Write the docs', 'pending', 'medium', dependencies, cardinality(dependencies), 1, now(), now()
      from drawn),
  counted as (
    update app.task_counts set pending = (select count(*) from drawn), ready = (select count(*) from drawn where dependencies = '{}')
      where tenant_id = $1)
  insert into app.task_dependencies select $1, id, unnest(dependencies) from drawn`;

async function drawGraph(size: number): Promise<Graph> {
  const who = await signIn(`graph-${size}`);
  const project = await createProject(who);
  const drawn: { id: string; at: number; dependencies: string[] }[] = [];
  const draw = (dependencies: string[] = []) => {
    const id = newId();
    drawn.push({ id, at: drawn.length + 1, dependencies });
    return id;
  };
  const chain = [draw()];
  for (const _ of upTo(500 * size)) chain.push(draw(chain.slice(-1)));
  const lattice = [upTo(4).map(() => draw())];
  for (const _ of upTo(50 * size)) lattice.push(upTo(4).map(() => draw(lattice.at(-1))));
  const hub = draw();
  for (const _ of upTo(60 * size)) draw([hub]);
  const wide = upTo(50 * size).map(() => draw(chain.slice(0, 40)));
  const { tenant_id, user_id } = who.actor;
  await scratch.sql.query('set session_replication_role = replica');
  await scratch.sql.query(DRAW, [tenant_id, project, user_id, JSON.stringify(drawn)]);
  await scratch.sql.query('reset session_replication_role');
  return { who, chain, lattice, hub, wide };
}

async function writeLog(size: number): Promise<Log> {
  const who = await signIn(`log-${size}`);
  await createProject(who);
  const tasks = ids(100 * size);
  const events = tasks.map((id, at) => created(id, { dependencies: tasks.slice(at > 0 ? 0 : 1, 1) }));
  for (let at = 0; at < events.length; at += 200) await append(who, events.slice(at, at + 200));
  const { events: answer } = await append(who, [changed(tasks[0], 'cancelled', { reason: 'Not needed.' })]);
  return { who, cancelled: answer[0]?.seq ?? 0, exported: await exportAll(who, 'web', 1_000) };
}

const CYCLE = { message: expect.stringContaining('cycle') };

const WORK: [what: string, work: (world: World) => Promise<unknown>][] = [
  [
    'an edge to the end of a chain',
    async ({ graph: { who, chain } }) => {
      const [head, tail] = [newId(), newId()];
      await append(who, [created(head), created(tail, { dependencies: [head] })]);
      return append(who, [changed(head, 'dependencies_changed', { add: [chain.at(-1)] })]);
    },
  ],
  [
    'an edge that closes a chain, and is refused',
    ({ graph: { who, chain } }) =>
      expect(append(who, [changed(chain[0], 'dependencies_changed', { add: [chain.at(-1)] })])).rejects.toMatchObject(
        CYCLE,
      ),
  ],
  [
    'an edge that closes many ways at once, and is refused',
    ({ graph: { who, lattice } }) =>
      expect(
        append(who, [changed(lattice[0]?.[0], 'dependencies_changed', { add: lattice.at(-1) })]),
      ).rejects.toMatchObject(CYCLE),
  ],
  [
    'cancelling and reopening what many wait for',
    async ({ graph: { who, hub } }) => {
      // Each carries the reason on.
      await append(who, [changed(hub, 'cancelled', { reason: 'Not needed. '.repeat(300) })]);
      await append(who, [changed(hub, 'reopened', { reason: 'It is.' })]);
    },
  ],
  [
    'completing what many wait for',
    async ({ graph: { who, hub } }) => {
      const lock_token = await hold(who, hub);
      await append(who, [{ ...changed(hub, 'completed', {}), expect: { lock_token } }]);
    },
  ],
  [
    'a batch of tasks with many dependencies each',
    ({ size, graph: { who, chain } }) =>
      append(
        who,
        ids(50 * size).map((id) => created(id, { dependencies: chain.slice(0, 40) })),
      ),
  ],
  [
    'a batch of notes on tasks with many dependencies each',
    ({ graph: { who, wide } }) =>
      append(
        who,
        wide.map((id) => changed(id, 'noted', { kind: 'note', text: 'Look.' })),
      ),
  ],
  [
    'a batch that sets off rules',
    async ({ size, graph: { who, wide } }) => {
      const triggers = ['first', 'second'].map((topic) => ({ on: 'task.noted', do: { enqueue: { topic } } }));
      const { project } = await ask<{ project: { id: string } }>(who, 'get_project', { project: 'web' });
      await append(who, [{ stream: `project:${project.id}`, type: 'project.updated', data: { rules: { triggers } } }]);
      const note = { kind: 'note', text: 'Look.' };
      return append(
        who,
        wide.slice(0, 25 * size).map((id) => changed(id, 'noted', note)),
      );
    },
  ],
  ['resuming', ({ graph: { who } }) => who.db.call('resume_project', { project: 'web' }, who.actor)],
  ['a page of tasks', ({ graph: { who } }) => who.db.call('list_tasks', { project: 'web', page_size: 100 }, who.actor)],
  ['a task that many wait for', ({ graph: { who, hub } }) => who.db.call('get_task', { task: hub }, who.actor)],
  [
    'redacting what many carry on',
    ({ log: { who, cancelled } }) =>
      who.db.call('redact_event', { event: String(cancelled), reason: 'A password leaked.' }, who.actor),
  ],
  ['verifying', ({ log: { who } }) => who.db.call('verify_events', {}, who.actor)],
  ['replaying', ({ log: { who } }) => who.db.call('replay_events', {}, who.actor)],
  ['a state as of a position', ({ log: { who } }) => who.db.call('get_state', { project: 'web' }, who.actor)],
  ['a page of events', ({ log: { who } }) => who.db.call('list_events', { page_size: 100 }, who.actor)],
  [
    'a page of an export',
    ({ size, log: { who } }) => who.db.call('export_events', { page_size: 100 * size }, who.actor),
  ],
  ['an import', ({ log: { exported }, stranger }) => importAll(stranger, exported)],
  [
    'a check of archived events',
    ({ log: { who, exported } }) => who.db.call('check_events', { events: exported }, who.actor),
  ],
  [
    'what archiving leaves behind',
    ({ log: { who, exported } }) => who.db.call('snapshot_events', { last_seq: exported.length }, who.actor),
  ],
];

describe('with four times as much', () => {
  test.each(WORK)(`%s costs less than ${GROWTH_MAX} times as much`, async (_, work) => {
    const [small, large] = worlds as [World, World];

    const growth = await growthOf(scratch.sql, [() => work(small), () => work(large)], GROWTH_MAX);

    expect(growth).toBeLessThan(GROWTH_MAX);
  });
});

const FEW: [what: string, fn: FunctionName, args: (graph: Graph) => Record<string, unknown>][] = [
  [
    'a task with dependencies',
    'append_events',
    ({ chain }) => ({ events: [created(newId(), { dependencies: chain.slice(0, 20) })] }),
  ],
  [
    'a dependency more',
    'append_events',
    ({ wide, hub }) => ({ events: [changed(wide[0], 'dependencies_changed', { add: [hub] })] }),
  ],
  ['a cancelled task', 'append_events', ({ wide }) => ({ events: [changed(wide[0], 'cancelled', { reason: 'No.' })] })],
  ['a note', 'append_events', ({ wide }) => ({ events: [changed(wide[0], 'noted', { kind: 'note', text: 'Look.' })] })],
  ['a claim', 'claim_task', () => ({ project: 'web' })],
  ['reading a task', 'get_task', ({ wide }) => ({ task: wide[0] })],
  ['a page of tasks', 'list_tasks', () => ({ project: 'web' })],
  ['resuming', 'resume_project', () => ({ project: 'web' })],
];

describe('with plans of when the workspace was small', () => {
  beforeAll(() => explainAll(scratch.sql));

  test.each(FEW)('%s looks at no more rows where there are four times as many', async (_, fn, args) => {
    const looked = [];

    for (const { graph } of worlds) {
      await scratch.sql.query('begin');
      const steps = await stepsOf(scratch.sql, [fn, args(graph)], graph.who.actor);
      await scratch.sql.query('rollback');
      looked.push(steps.reduce((sum, { lookedAt }) => sum + lookedAt, 0));
    }

    const [small = 0, large = 0] = looked;
    expect(small).toBeGreaterThan(0);
    expect(large).toBeLessThanOrEqual(small * 1.5);
  });
});
