import { randomUUID } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Hono } from 'hono';
import pg from 'pg';
import { afterEach, describe, expect, inject, vi } from 'vitest';
import type { Access } from '../../src/auth/access.ts';
import { readConfig } from '../../src/config.ts';
import { postgresDatabase } from '../../src/db/postgres.ts';
import { createLog } from '../../src/log.ts';
import { type ConcurrencyLimits, limitConcurrency } from '../../src/server/http/concurrency.ts';
import { type HttpParts, serveHttp } from '../../src/server/http/server.ts';
import { ask } from '../support/ask.ts';
import { type AuthServing, startAuthServing } from '../support/auth-serving.ts';
import { cairnHere } from '../support/cairn-here.ts';
import { plan } from '../support/calls.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { callOf, sendRaw } from '../support/raw-http.ts';
import { test as base } from '../support/world.ts';

type Answer = { status: number; text: string };

type Call = (grant: string, tool: string, asked?: { input?: object; signal?: AbortSignal }) => Promise<Answer>;

type Door = {
  /**
   * Serves over ten connections, as `cairn serve` does: `ada` and `ada-2` are grants of one user, `bob` is of another.
   */
  serve(limits?: HttpParts['limits']): Promise<Call>;
  /** Makes every write in the first user's workspace wait until it is called back. */
  hold(): Promise<() => Promise<void>>;
  /** Counts the calls that the database runs, and those that wait there. */
  held(): Promise<number>;
};

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const name = `concurrency-${randomUUID()}`;

const test = base.extend<Door>({
  serve: async ({ users: { owner, stranger } }, use) => {
    await use(async (limits = {}) => {
      const access: Access = {
        async authenticate({ headers }) {
          const id = headers.get('x-name') ?? '';
          return { id, actor: id === 'bob' ? stranger.actor : owner.actor, scopes: 'all' };
        },
        challenge: () => new Response(null, { status: 403 }),
        routes: new Hono(),
      };
      const connection = { ...inject('server'), application_name: name };
      const db = postgresDatabase({ connection, connectionsMax: 10 });
      closers.push(() => db.close());
      const parts = { config: readConfig({ port: '0' }, {}), log: createLog('silent'), db, access };
      const server = await serveHttp({ ...parts, limits: { callsMax: 10, ...limits } });
      closers.push(() => server.close());
      return (grant, tool, { input, ...ends } = {}) => {
        const asked = callOf(tool, input);
        const headers = { ...asked.headers, 'x-name': grant };
        return sendRaw(new URL('/mcp', server.publicUrl), { ...asked, headers, ...ends });
      };
    });
  },
  hold: async ({ sql, people: { owner } }, use) => {
    await use(async () => {
      const client = await sql.connect();
      await client.query('begin');
      await client.query('select from app.positions where tenant_id = $1 for update', [owner.tenant_id]);
      let over: Promise<void> | undefined;
      const end = () => {
        over ??= client.query('rollback').then(() => client.release());
        return over;
      };
      closers.push(end);
      return end;
    });
  },
  held: async ({ sql }, use) => {
    await use(async () => {
      const { rows } = await sql.query(
        `select count(*)::integer as held from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock'`,
        [name],
      );
      return rows[0].held;
    });
  },
});

const note = { input: { project: 'web', kind: 'note', text: 'A note.' } };
const done = { status: 200, text: expect.not.stringContaining('"isError":true') };
const busy = { status: 200, text: expect.stringContaining('rate_limited') };

describe('the calls of one grant', () => {
  test('leave room for those of another, and take their turns', async ({ as, serve, hold, held }) => {
    await plan(as('ada'), []);
    const call = await serve();
    const release = await hold();
    const many = Array.from({ length: 12 }, () => call('ada', 'record_event', note));
    await vi.waitUntil(async () => (await held()) === 5, { timeout: 10_000 });

    const others = [await call('bob', 'list_projects'), await call('ada-2', 'list_projects')];

    expect(others).toMatchObject([done, done]);
    expect(await held()).toBe(5);
    await release();
    expect(await Promise.all(many)).toMatchObject(Array(12).fill(done));
  });

  test('leave room for those of another user, whatever grants that one has', async ({ as, serve, hold, held }) => {
    await plan(as('ada'), []);
    const call = await serve();
    const release = await hold();
    const many = Array.from({ length: 30 }, (_, at) => call(`ada-${at % 10}`, 'record_event', note));
    await vi.waitUntil(async () => (await held()) === 7, { timeout: 10_000 });

    const other = await call('bob', 'list_projects');

    expect(other).toMatchObject(done);
    expect(await held()).toBe(7);
    await release();
    expect(await Promise.all(many)).toMatchObject(Array(30).fill(done));
  });

  test('are refused when their turn does not come', async ({ as, serve, hold, held }) => {
    await plan(as('ada'), []);
    const call = await serve({ waitMs: 200 });
    const release = await hold();
    const first = Array.from({ length: 5 }, () => call('ada', 'record_event', note));
    await vi.waitUntil(async () => (await held()) === 5, { timeout: 10_000 });

    const more = await Promise.all(Array.from({ length: 3 }, () => call('ada', 'record_event', note)));

    expect(more).toMatchObject(Array(3).fill(busy));
    await release();
    expect(await Promise.all(first)).toMatchObject(Array(5).fill(done));
    expect(await call('ada', 'record_event', note)).toMatchObject(done);
  });

  test('are refused at once where too many of the grant wait', async ({ as, serve, hold, held }) => {
    await plan(as('ada'), []);
    const call = await serve({ waitingMax: { grant: 2, user: 9, all: 9 } });
    const release = await hold();
    const first = Array.from({ length: 5 }, () => call('ada', 'record_event', note));
    await vi.waitUntil(async () => (await held()) === 5, { timeout: 10_000 });

    const more = Array.from({ length: 3 }, () => call('ada', 'record_event', note));
    const refused = await Promise.race(more);
    await release();

    expect(refused).toMatchObject(busy);
    const ends = await Promise.all([...first, ...more]);
    expect(ends.filter(({ text }) => text.includes('rate_limited'))).toHaveLength(1);
  });

  test('do not run when their client went away while they waited', async ({ as, serve, hold, held }) => {
    await plan(as('ada'), []);
    const call = await serve({ waitingMax: { grant: 1, user: 9, all: 9 } });
    const release = await hold();
    const first = Array.from({ length: 5 }, () => call('ada', 'record_event', note));
    await vi.waitUntil(async () => (await held()) === 5, { timeout: 10_000 });
    const leaving = new AbortController();
    const two = [1, 2].map(() =>
      call('ada', 'record_event', { input: { ...note.input, text: 'Gone.' }, signal: leaving.signal }),
    );
    // The one that is refused tells that the other waits.
    expect(await Promise.race(two)).toMatchObject(busy);

    leaving.abort();
    await Promise.allSettled(two);
    await call('bob', 'list_projects');
    await release();

    expect(await Promise.all(first)).toMatchObject(Array(5).fill(done));
    expect(await call('ada', 'list_events', { input: { project: 'web' } })).toMatchObject({
      status: 200,
      text: expect.not.stringContaining('Gone.'),
    });
  });
});

describe('calls that wait', () => {
  /** A database that is at work on each call until the test ends it: it tells which of them it began. */
  function openDatabase(limits: Partial<ConcurrencyLimits> = {}) {
    const begun: string[] = [];
    const ends: (() => void)[] = [];
    const db = limitConcurrency(
      {
        async call<T>(_fn: string, args: Record<string, unknown>): Promise<T> {
          begun.push(String(args.name));
          await new Promise<void>((end) => ends.push(end));
          return {} as T;
        },
        close: async () => {},
      },
      { callsMax: 1, grantMax: 9, waitingMax: { grant: 9, user: 9, all: 9 }, waitMs: 60_000, ...limits },
    );
    const call = (grant: string, name: string) =>
      ask({ db, actor: { user_id: grant.slice(0, 1), grant } }, 'list_projects', { name }).then(
        () => 'done',
        ({ code }) => code,
      );
    return { begun, call, end: () => ends.shift()?.() };
  }

  test('take turns with those of the user’s other grants', async () => {
    const { begun, call, end } = openDatabase();
    const calls = [call('a1', 'first')];
    for (const grant of ['a1', 'a2', 'b1']) for (const at of [1, 2, 3]) calls.push(call(grant, `${grant} ${at}`));

    for (const at of calls.keys()) {
      await vi.waitUntil(() => begun.length === at + 1);
      end();
    }

    await Promise.all(calls);
    const turns = [1, 2, 3].flatMap((at) => ['a1', 'a2', 'b1'].map((grant) => `${grant} ${at}`));
    expect(begun).toEqual(['first', ...turns]);
  });

  test('are worked on by one grant at a time as often as the machine allows', async () => {
    const { begun, call, end } = openDatabase({ callsMax: 10, grantMax: 2 });

    const calls = ['a1', 'a1', 'a1', 'a2', 'a2', 'a3', 'b1'].map((grant) => call(grant, grant));

    await vi.waitUntil(() => begun.length === 5);
    expect(begun).toEqual(['a1', 'a1', 'a2', 'a2', 'b1']);
    for (const _ of calls) {
      end();
      await new Promise(setImmediate);
    }
    expect(await Promise.all(calls)).toEqual(calls.map(() => 'done'));
  });

  test.for<[of: string, waitingMax: ConcurrencyLimits['waitingMax'], refused: string, waits: string]>([
    ['the user', { grant: 9, user: 2, all: 9 }, 'a3', 'b1'],
    ['all users', { grant: 9, user: 9, all: 2 }, 'b1', ''],
  ])('are refused at once where too many of %s wait', async ([, waitingMax, refused, waits]) => {
    const { begun, call, end } = openDatabase({ waitingMax });
    const calls = ['a1', 'a1', 'a2', waits].filter((grant) => grant !== '').map((grant) => call(grant, grant));

    const answer = await call(refused, refused);

    expect(answer).toBe('rate_limited');
    for (const at of calls.keys()) {
      await vi.waitUntil(() => begun.length === at + 1);
      end();
    }
    expect(await Promise.all(calls)).toEqual(calls.map(() => 'done'));
  });
});

describe('cairn serve --auth', () => {
  test('answers one token while twelve calls of another wait', { timeout: 90_000 }, async ({ onTestFinished }) => {
    const world = await openLocalWorld();
    onTestFinished(() => world.close());
    const serving = await startAuthServing({ dataDir: world.dataDir });
    onTestFinished(async () => void (await serving.stop()));
    const call = async (token: string, tool: string, input: object) => {
      const asked = callOf(tool, input);
      return sendRaw(serving.mcp, { ...asked, headers: { ...asked.headers, authorization: `Bearer ${token}` } });
    };
    const [busyOne, other] = [await createToken(world, serving), await createToken(world, serving)];
    await call(busyOne, 'create_project', { slug: 'web', name: 'Web' });
    const sql = new pg.Client({ host: join(world.dataDir, 'run'), user: 'cairn', database: 'cairn' });
    await sql.connect();
    await sql.query('begin; select from app.positions for update');
    // One user's share of the ten connections, on a database of this machine.
    const share = Math.min(5, Math.max(2, availableParallelism()));
    const many = Array.from({ length: 12 }, () => call(busyOne, 'record_event', note.input));
    const waits = `select from pg_stat_activity where application_name = 'cairn' and wait_event_type = 'Lock'`;
    await vi.waitUntil(async () => (await world.rows(waits)).length === share, { timeout: 20_000, interval: 200 });

    const answer = await call(other, 'list_projects', {});

    expect(answer).toMatchObject(done);
    expect(await world.rows(waits)).toHaveLength(share);
    await sql.end();
    expect(await Promise.all(many)).toMatchObject(Array(12).fill(done));
  });
});

async function createToken({ dataDir }: LocalWorld, { origin }: AuthServing): Promise<string> {
  const args = ['--data-dir', dataDir, 'auth', 'pat', 'create', '--name', randomUUID(), '--json'];
  const { stdout } = await cairnHere(args, { env: { CAIRN_PUBLIC_URL: origin } });
  return JSON.parse(stdout).token;
}
