import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, describe, expect, inject, vi } from 'vitest';
import type { Access } from '../src/auth/access.ts';
import { readConfig } from '../src/config.ts';
import { SCOPES } from '../src/context.ts';
import { postgresDatabase } from '../src/db/postgres.ts';
import { createLog } from '../src/log.ts';
import { type HttpParts, serveHttp } from '../src/server/http.ts';
import { type AuthServing, startAuthServing } from './support/auth-serving.ts';
import { cairn } from './support/cairn.ts';
import { plan } from './support/calls.ts';
import { type LocalWorld, openLocalWorld } from './support/local-world.ts';
import { callOf, sendRaw } from './support/raw-http.ts';
import { test as base } from './support/world.ts';

type Answer = { status: number; text: string };

type Door = {
  /** Serves over ten connections, as `cairn serve` does: `ada` and `ada-2` are grants of one user, `bob` is of another. */
  serve(limits?: HttpParts['limits']): Promise<(grant: string, tool: string, input?: object) => Promise<Answer>>;
  /** Makes every write in the first user's workspace wait until it is called back. */
  hold(): Promise<() => Promise<void>>;
  /** How many calls the database is at work on and waits with. */
  held(): Promise<number>;
};

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const name = `shares-${randomUUID()}`;

const test = base.extend<Door>({
  serve: async ({ users: { owner, stranger } }, use) => {
    await use(async (limits = {}) => {
      const access: Access = {
        async authenticate({ headers }) {
          const id = headers.get('x-name') ?? '';
          return { id, actor: id === 'bob' ? stranger.actor : owner.actor, scopes: new Set(SCOPES) };
        },
        challenge: () => new Response(null, { status: 403 }),
        routes: [],
      };
      const connection = { ...inject('server'), application_name: name };
      const db = postgresDatabase({ connection, connectionsMax: 10 });
      closers.push(() => db.close());
      const parts = { config: readConfig({ port: '0' }, {}), log: createLog('silent'), db, access };
      const server = await serveHttp({ ...parts, limits: { callsMax: 10, ...limits } });
      closers.push(() => server.close());
      return (grant, tool, input = {}) => {
        const asked = callOf(tool, input);
        return sendRaw(new URL('/mcp', server.publicUrl), { ...asked, headers: { ...asked.headers, 'x-name': grant } });
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

const note = { project: 'web', kind: 'note', text: 'A note.' };
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

  test('are refused at once where too many wait', async ({ as, serve, hold, held }) => {
    await plan(as('ada'), []);
    const call = await serve({ waitingMax: 2 });
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
    const many = Array.from({ length: 12 }, () => call(busyOne, 'record_event', note));
    const waits = `select from pg_stat_activity where application_name = 'cairn' and wait_event_type = 'Lock'`;
    await vi.waitUntil(async () => (await world.rows(waits)).length === 5, { timeout: 20_000, interval: 200 });

    const answer = await call(other, 'list_projects', {});

    expect(answer).toMatchObject(done);
    expect(await world.rows(waits)).toHaveLength(5);
    await sql.end();
    expect(await Promise.all(many)).toMatchObject(Array(12).fill(done));
  });
});

async function createToken({ dataDir }: LocalWorld, { origin }: AuthServing): Promise<string> {
  const args = ['--data-dir', dataDir, 'auth', 'pat', 'create', '--name', randomUUID(), '--json'];
  const { stdout } = await cairn(args, { env: { CAIRN_PUBLIC_URL: origin } });
  return JSON.parse(stdout).token;
}
