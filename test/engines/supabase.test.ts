import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { authStore } from '../../src/auth/store.ts';
import type { Database } from '../../src/db/database.ts';
import { supabaseDatabase } from '../../src/db/supabase/database.ts';
import { createLog } from '../../src/log.ts';
import { blobs } from '../support/blobs.ts';
import { call } from '../support/calls.ts';
import { append, createProject, createTask, note, verify } from '../support/commands.ts';
import type { Person } from '../support/engine.ts';
import { createScratch, mutate, type Scratch } from '../support/scratch.ts';
import {
  type Disturbance,
  PUBLISHABLE_KEY,
  SECRET_KEY,
  type SupabaseProject,
  startSupabase,
} from '../support/supabase.ts';

const NOBODY = { user_id: '00000000-0000-0000-0000-000000000000' };

let scratch: Scratch;
let project: SupabaseProject;
let sql: pg.Client;
let server: Database;

beforeAll(async () => {
  scratch = await createScratch();
  sql = scratch.sql;
  project = await startSupabase(scratch.connection);
  server = databaseWith(SECRET_KEY);
});

afterEach(() => {
  project.disturb(null);
});

afterAll(async () => {
  await project.close();
  await scratch.drop();
});

function databaseWith(key: string): Database {
  return supabaseDatabase({ project: { url: project.url, key } });
}

/** Someone who signed in, with a project of their own. */
async function signIn(name: string): Promise<Person> {
  const email = `${name}-${randomUUID()}@cairn.test`;
  let granted = await project.auth.signIn(email);
  const { id } = granted.user;
  const session = {
    user_id: id,
    accessToken: async () => granted.access_token,
    async renew() {
      granted = await project.auth.signIn(email);
    },
  };
  const db = supabaseDatabase({ project: { url: project.url, key: PUBLISHABLE_KEY }, session });
  await db.call('list_projects', {}, { user_id: id });
  const who = { db, actor: { user_id: id, tenant_id: id, agent: name } };
  await createProject(who);
  return who;
}

describe('a call to a Supabase project', () => {
  test('is one HTTP request, as the user who signed in', async () => {
    const ada = await signIn('ada');
    const before = project.requests();

    await createTask(ada, { title: 'First' });

    expect(project.requests() - before).toBe(1);
    const { rows } = await sql.query('select user_id, title from public.tasks where tenant_id = $1', [
      ada.actor.user_id,
    ]);
    expect(rows).toEqual([{ user_id: ada.actor.user_id, title: 'First' }]);
  });

  test('with the publishable key acts as who is signed in, whatever the actor says', async () => {
    const [bea, cyd] = [await signIn('bea'), await signIn('cyd')];

    const { events } = await append({ ...bea, actor: { user_id: cyd.actor.user_id } }, [
      { stream: 'project:web', type: 'project.noted', data: { text: 'Mine.', kind: 'note' } },
    ]);

    await expect(bea.db.call('list_projects', {}, cyd.actor)).rejects.toMatchObject({ code: 'forbidden' });
    const { rows } = await sql.query('select user_id from public.events where id = $1', [events[0]?.id]);
    expect(rows).toEqual([{ user_id: bea.actor.user_id }]);
  });

  test('with the secret key is believed who acts', async () => {
    const dan = await signIn('dan');

    const listed = await server.call('list_projects', {}, dan.actor);

    expect(listed).toMatchObject({ projects: [{ slug: 'web' }] });
  });

  test('that waits for events hears of the next one', async () => {
    const mia = await signIn('mia');
    const ctx = { ...mia, blobs, log: createLog('silent'), scopes: 'all' as const };

    const waiting = call(ctx, 'wait_for_events', { project: 'web', after_seq: 1, timeout_seconds: 25 });
    await note(mia, 'Now.');

    expect(await waiting).toMatchObject({ events: [{ seq: 2, type: 'project.noted' }], position: 2 });
  });

  test('where nobody signed in is refused', async () => {
    const anonymous = databaseWith(PUBLISHABLE_KEY);

    await expect(anonymous.call('list_projects', {}, NOBODY)).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(databaseWith('sb_publishable_old').call('list_projects', {}, NOBODY)).rejects.toMatchObject({
      code: 'unauthenticated',
      hint: expect.stringContaining('SUPABASE_PUBLISHABLE_KEY'),
    });
  });

  test.each([
    ['a NUL character', { query: 'a\0b' }],
    ['a number out of range', { query: 'a', page_size: 3_000_000_000 }],
  ])('with %s is invalid input', async (_, args) => {
    const eve = await signIn('eve');

    await expect(eve.db.call('search', args, eve.actor)).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test('keeps where the database is served, for the server alone', async () => {
    const db = supabaseDatabase({ project: { url: project.url, key: SECRET_KEY } });
    await authStore(db).saveServedUrl('https://cairn.example.com');

    expect((await authStore(db).listServedUrls()).served).toMatchObject([{ public_url: 'https://cairn.example.com' }]);
    const eve = await signIn('eve');
    await expect(authStore(eve.db).listServedUrls()).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('of a schema that is not there says how to bring it', async () => {
    await sql.query('alter function public.suggest_refs rename to suggest_names');
    const other = await startSupabase(scratch.connection);
    const db = supabaseDatabase({ project: { url: other.url, key: SECRET_KEY } });

    const attempt = db.call('suggest_refs', { kind: 'task' }, NOBODY);

    await expect(attempt).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
      hint: expect.stringContaining('cairn migrate'),
    });
    await sql.query('alter function public.suggest_names rename to suggest_refs');
    await other.close();
  });
});

/** Answers once as told, then lets everything through. */
function once(disturbance: Disturbance): Disturbance {
  let done = false;
  return (...request) => {
    if (done) return 'go on';
    done = true;
    return disturbance(...request);
  };
}

const loseAnswer = () => once(() => 'lose answer');
const answerWith = (status: number, body: string) =>
  once((_, response) => {
    response.writeHead(status, { 'content-type': 'text/html' }).end(body);
    return 'done';
  });

describe('a fault on the way', () => {
  test('that loses the answer of a read is not noticed', async () => {
    const ada = await signIn('gus');
    project.disturb(loseAnswer());

    expect(await ada.db.call('list_projects', {}, ada.actor)).toMatchObject({ projects: [{ slug: 'web' }] });
  });

  test('that loses the answer of a command with a key is not noticed, and nothing is done twice', async () => {
    const hal = await signIn('hal');
    const events = [{ stream: 'project:web', type: 'project.noted', data: { text: 'Once.', kind: 'note' } }];
    project.disturb(loseAnswer());

    const { events: recorded } = await append(hal, events, { key: 'k', fingerprint: 'f' });

    expect(recorded).toMatchObject([{ seq: 2 }]);
    expect(await verify(hal)).toMatchObject({ ok: true, events: 2 });
  });

  test('that loses the answer of a command without one is told, and it is not repeated', async () => {
    const ivy = await signIn('ivy');
    const before = project.requests();
    project.disturb(loseAnswer());

    await expect(note(ivy, 'Once.')).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
      hint: expect.stringContaining('idempotency_key'),
    });

    expect(project.requests() - before).toBe(1);
    expect(await verify(ivy)).toMatchObject({ events: 2 });
  });

  test.each([
    ['a bad gateway', 502, 'unavailable'],
    ['a lost origin', 522, 'unavailable'],
    ['too many calls', 429, 'rate_limited'],
    ['too much at once', 413, 'payload_too_large'],
  ])('that answers %s, in the words of a gateway, is told as such', async (words, status, code) => {
    const jon = await signIn('jon');
    project.disturb(answerWith(status, `<html>${words}</html>`));

    await expect(note(jon, 'Hello.')).rejects.toMatchObject({ code });
  });

  test('that keeps the project from being reached is unavailable, within bounds', async () => {
    const nowhere = supabaseDatabase({ project: { url: 'http://127.0.0.1:1', key: SECRET_KEY } });

    await expect(nowhere.call('append_events', { events: [] }, NOBODY)).rejects.toMatchObject({
      code: 'unavailable',
      retryable: true,
    });
  });

  test('that makes two calls collide is not noticed', async () => {
    const kim = await signIn('kim');
    await sql.query('create sequence public.tries; grant usage on sequence public.tries to public');
    const collide = `\nbegin\nif nextval('public.tries') <= 2 then raise exception using errcode = '40P01'; end if;\n`;
    await mutate(sql, 'app.authenticate', [/\nbegin\n/, collide]);

    const attempt = kim.db.call('extend_lock', { task: 'web-1', lock_token: 1 }, kim.actor);

    await expect(attempt).rejects.toMatchObject({ code: 'not_found' });
    const { rows } = await sql.query('select last_value::int from public.tries');
    expect(rows).toEqual([{ last_value: 3 }]);
  });

  test('an access token that is too old is replaced, and the call made again', async () => {
    project.auth.issueNextFor(-10);
    const lea = await signIn('lea');

    expect(await lea.db.call('list_projects', {}, lea.actor)).toMatchObject({ projects: [{ slug: 'web' }] });
  });

  test('a token that someone made up is refused', async () => {
    const session = { user_id: 'x', accessToken: async () => 'e30.e30.x', renew: async () => {} };
    const db = supabaseDatabase({ project: { url: project.url, key: PUBLISHABLE_KEY }, session });

    await expect(db.call('list_projects', {}, NOBODY)).rejects.toMatchObject({
      code: 'unauthenticated',
      hint: expect.stringContaining('cairn login'),
    });
  });
});
