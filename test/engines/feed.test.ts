import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Context } from '../../src/context.ts';
import type { Database, Hint } from '../../src/db/database.ts';
import { postgresDatabase } from '../../src/db/postgres.ts';
import { DomainError } from '../../src/errors.ts';
import { createLog } from '../../src/log.ts';
import { followEvents, waitForEvents } from '../../src/services/events.ts';
import { blobs } from '../support/blobs.ts';
import { append, type Caller, createProject, note } from '../support/commands.ts';
import { databaseUrl } from '../support/database-url.ts';
import { startRaw } from '../support/raw-agent.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';
import { upTo } from '../support/writers.ts';

const BOUND = { timeout: 20_000, interval: 5 };

let scratch: Scratch;
let ada: Caller & { actor: { user_id: string; tenant_id: string } };

beforeAll(async () => {
  scratch = await createScratch();
  ada = await scratch.signIn('ada');
  await createProject(ada);
});

afterAll(() => scratch.drop());

/** A process of its own would have the same: a port of its own, whose calls are counted. */
function open(change: (db: Database) => Partial<Database> = () => ({})) {
  const db = postgresDatabase({ connection: scratch.connection });
  const calls: string[] = [];
  const changed: Database = { ...db, ...change(db) };
  const counted: Database = {
    ...changed,
    call: (fn, args, actor) => {
      calls.push(fn);
      return changed.call(fn, args, actor);
    },
  };
  const ctx: Context = { ...ada, db: counted, blobs, log: createLog('silent'), scopes: 'all' };
  return { ctx, calls, close: () => db.close() };
}

async function listeners(): Promise<number[]> {
  const { rows } = await scratch.sql.query<{ pid: number }>(
    `select pid from pg_stat_activity where application_name = 'cairn listen' and datname = current_database()`,
  );
  return rows.map(({ pid }) => pid);
}

describe('a hint', () => {
  test('reaches another process after a commit, and says which workspace', async () => {
    const [here, there] = [open(), open()];
    const heard: Hint[] = [];
    const listening = here.ctx.db.listen?.((hint) => heard.push(hint));
    await vi.waitFor(() => expect(listening?.hears()).toBe(true), BOUND);

    await note(there.ctx, 'Done.');

    await vi.waitFor(() => expect(heard).toContain(ada.actor.tenant_id), BOUND);
    listening?.stop();
    await Promise.all([here.close(), there.close()]);
  });

  test('of many commits is few', async () => {
    const [here, there] = [open(), open()];
    const heard: Hint[] = [];
    const listening = here.ctx.db.listen?.((hint) => heard.push(hint));
    await vi.waitFor(() => expect(listening?.hears()).toBe(true), BOUND);
    heard.length = 0;

    const started = performance.now();
    for (const at of upTo(200)) await note(there.ctx, `Note ${at}.`);
    await there.close();
    const windows = (performance.now() - started) / 25;

    await vi.waitFor(() => expect(heard.length).toBeGreaterThan(0), BOUND);
    expect(heard.length).toBeLessThan(windows + 3);
    listening?.stop();
    await here.close();
  });

  test('is listened for on one connection, made anew when it is lost, and left when the port closes', async () => {
    const here = open();
    const before = await listeners();
    const heard: Hint[] = [];
    const [one, two] = [here.ctx.db.listen?.((hint) => heard.push(hint)), here.ctx.db.listen?.(() => {})];
    await vi.waitFor(() => expect(one?.hears()).toBe(true), BOUND);
    const [pid, ...others] = (await listeners()).filter((known) => !before.includes(known));
    heard.length = 0;

    await scratch.sql.query('select pg_terminate_backend($1)', [pid]);

    // Notifications sent meanwhile were missed: null tells readers to look.
    await vi.waitFor(() => expect(heard).toContain(null), BOUND);
    expect(others).toEqual([]);
    one?.stop();
    two?.stop();
    await here.close();
    await vi.waitFor(async () => expect(await listeners()).toEqual(before), BOUND);
  });
});

test('a port that closes while it begins to listen does not wait for it', async () => {
  const db = postgresDatabase({ connection: scratch.connection });

  db.listen?.(() => {}, 'access');

  await expect(db.close()).resolves.toBeUndefined();
});

describe('waiting for events', () => {
  test('ends with what another process did, with a hint and without one', async () => {
    const there = open();
    for (const here of [open(), open(() => ({ listen: undefined as never }))]) {
      const waiting = waitForEvents(here.ctx, { timeout_seconds: 20 });
      await vi.waitFor(() => expect(here.calls).toContain('list_events'), BOUND);

      const { seq } = await note(there.ctx, 'Done.');

      expect(await waiting).toMatchObject({ events: [{ seq, type: 'project.noted' }], position: seq });
      await here.close();
    }
    await there.close();
  });

  test('looks seldom while hints arrive', async () => {
    const here = open();
    const listening = here.ctx.db.listen?.(() => {});
    await vi.waitFor(() => expect(listening?.hears()).toBe(true), BOUND);

    await waitForEvents(here.ctx, { timeout_seconds: 1 });

    expect(here.calls.filter((fn) => fn === 'get_position').length).toBeLessThan(4);
    listening?.stop();
    await here.close();
  });

  test('of many is one look at the workspace', async () => {
    const here = open(() => ({ listen: undefined as never }));
    const waiting = upTo(50).map(() => waitForEvents(here.ctx, { timeout_seconds: 1 }));

    await Promise.all(waiting);

    expect(here.calls.filter((fn) => fn === 'get_position').length).toBeLessThan(50 + 30);
    await here.close();
  });

  test('outlives a database that is away for a while', async () => {
    let away = false;
    const here = open((db) => ({
      call: (fn, args, actor) => {
        return away ? Promise.reject(new DomainError('unavailable', 'Away.')) : db.call(fn, args, actor);
      },
    }));
    const waiting = waitForEvents(here.ctx, { timeout_seconds: 20 });
    await vi.waitFor(() => expect(here.calls.slice(2)).toContain('get_position'), BOUND);
    away = true;
    const { seq } = await note(ada, 'While it was away.');
    away = false;

    expect((await waiting).events.at(-1)).toMatchObject({ seq });
    await here.close();
  });
});

test('a reader misses nothing and repeats nothing, whatever writes, and whatever breaks', {
  timeout: 60_000,
}, async () => {
  const flags = ['--database-url', databaseUrl(scratch.connection)];
  const agents = await Promise.all(upTo(3).map(() => startRaw(flags)));
  const [first] = agents;
  await first?.call('create_project', { slug: 'feed', name: 'Feed' });
  const { rows } = await scratch.sql.query('select tenant_id, user_id from public.projects where slug = $1', ['feed']);
  const actor = rows[0] as Caller['actor'];
  const stop = new AbortController();
  const readers = [open(), open(), open(() => ({ listen: undefined as never }))];
  const seen = readers.map(({ ctx }) => {
    const seqs: number[] = [];
    const read = async () => {
      for await (const { events } of followEvents({ ...ctx, actor }, 0, stop.signal)) {
        seqs.push(...events.map(({ seq }) => seq));
      }
    };
    return { seqs, done: read() };
  });
  const waited: number[] = [];
  const waiter = (async () => {
    for (let after = 0; !stop.signal.aborted; ) {
      const { data } =
        (await first?.call('wait_for_events', { project: '*', after_seq: after, timeout_seconds: 1 })) ?? {};
      const { events, position } = data as { events: { seq: number }[]; position: number };
      waited.push(...events.map(({ seq }) => seq));
      after = position;
    }
  })();

  await Promise.all([
    ...agents.map(async (agent, number) => {
      for (const at of upTo(40)) await agent.call('record_event', { project: 'feed', text: `${number} says ${at}.` });
    }),
    (async () => {
      for (const _ of upTo(5)) {
        await vi.waitFor(async () => expect(await listeners()).not.toEqual([]), BOUND);
        await scratch.sql.query('select pg_terminate_backend(pid) from unnest($1::int[]) pid', [await listeners()]);
      }
    })(),
  ]);

  const all = upTo(1 + 3 * 40);
  await vi.waitFor(() => {
    for (const { seqs } of seen) expect(seqs).toHaveLength(all.length);
    expect(waited).toHaveLength(all.length);
  }, BOUND);
  stop.abort();
  await Promise.all([waiter, ...seen.map(({ done }) => done)]);
  for (const seqs of [...seen.map((reader) => reader.seqs), waited]) expect(seqs).toEqual(all);
  await Promise.all([...agents.map((agent) => agent.close()), ...readers.map((reader) => reader.close())]);
  expect(
    await append({ ...ada, actor }, [
      { stream: 'project:feed', type: 'project.noted', data: { text: 'x', kind: 'note' } },
    ]),
  ).toMatchObject({ events: [{ seq: all.length + 1 }] });
});
