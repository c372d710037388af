import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Actor } from '../../src/db/database.ts';
import type { FunctionName } from '../../src/db/functions.ts';
import { ask } from '../support/ask.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';

type Claim = { token: number; settings: object; user_id?: string } | null;
type Listed = { jobs: { kind: string; workspace?: string; overdue: boolean }[] };

const NOBODY: Actor = { user_id: '' };

let scratch: Scratch;
let owner: Actor & { tenant_id: string };
let ada: Actor & { tenant_id: string };
let eve: Actor & { tenant_id: string };

beforeAll(async () => {
  scratch = await createScratch();
  owner = await ask({ db: scratch.db, actor: NOBODY }, 'sign_in', {
    identity: { issuer: 'local', subject: 'owner', name: 'Owner' },
  });
  ada = (await scratch.signIn('ada')).actor;
  eve = (await scratch.signIn('eve')).actor;
});
afterAll(() => scratch.drop());

const as = <Answer>(actor: Actor, fn: FunctionName, args: object) => ask<Answer>({ db: scratch.db, actor }, fn, args);
const claim = (kind: string, actor = NOBODY) => as<Claim>(actor, 'claim_job', { kind, holder: 'one', seconds: 30 });
const finish = (
  kind: string,
  token: number | undefined,
  { actor = NOBODY, ...more }: { actor?: Actor; [argument: string]: unknown } = {},
) => as(actor, 'finish_job', { kind, token, outcome: 'succeeded', ...more });
const change = (kind: string, to: string, actor: Actor = owner) => as(actor, 'change_job', { kind, change: to });
const due = (...kinds: string[]) => as<{ jobs: object[]; next_in_ms?: number }>(NOBODY, 'due_jobs', { kinds });

/** A job of the installation, due now. */
async function register(kind: string): Promise<void> {
  await as(NOBODY, 'register_jobs', { jobs: [{ kind, every_seconds: 3600 }] });
  await makeDue(kind);
}

async function makeDue(kind: string): Promise<void> {
  await scratch.sql.query(`update app.jobs set next_run_at = now() - interval '1 second' where kind = $1`, [kind]);
}

/** As if the lease had ended by itself. */
async function expire(kind: string): Promise<void> {
  await scratch.sql.query('update app.jobs set lease_expires_at = now() where kind = $1', [kind]);
}

async function row(kind: string): Promise<Record<string, unknown>> {
  const { rows } = await scratch.sql.query(
    `select *, extract(epoch from next_run_at - now())::int as next_in from app.jobs where kind = $1`,
    [kind],
  );
  return rows[0];
}

describe('a job', () => {
  test('is first due within the hour, and registering it again changes nothing', async () => {
    await as(NOBODY, 'register_jobs', { jobs: [{ kind: 'daily', every_seconds: 86_400 }] });
    const before = await row('daily');
    const again = await as(NOBODY, 'register_jobs', { jobs: [{ kind: 'daily', every_seconds: 60 }] });

    expect(again).toEqual({ registered: 0 });
    expect(before).toMatchObject({ every_seconds: 86_400, last_run_at: null, last_outcome: null });
    expect(Math.abs(Number(before['next_in']) - 3_600)).toBeLessThan(5);
    expect(await claim('daily')).toBeNull();
    expect(await row('daily')).toMatchObject({ every_seconds: 86_400, token: '0' });
  });

  test('is claimed by one of twenty at once', async () => {
    await register('raced');
    const clients = await Promise.all(Array.from({ length: 20 }, () => scratch.connect()));

    const claims = await Promise.all(
      clients.map((client, at) =>
        client.query(`select public.claim_job('raced', $1, 30, '{}') as claim`, [`worker-${at}`]),
      ),
    );
    await Promise.all(clients.map((client) => client.end()));

    expect(claims.flatMap(({ rows }) => rows).filter((found) => found.claim !== null)).toEqual([
      { claim: { token: 1, settings: {} } },
    ]);
  });

  test('is not due while it runs, and next due about its time after the end', async () => {
    await register('ordinary');
    expect((await due('ordinary')).jobs).toEqual([{ kind: 'ordinary' }]);
    const run = await claim('ordinary');

    expect((await due('ordinary')).jobs).toEqual([]);
    expect(await row('ordinary')).toMatchObject({ last_run_at: null, holder: 'one' });
    await finish('ordinary', run?.token, { duration_ms: 12 });

    const after = await row('ordinary');
    expect(after).toMatchObject({ last_outcome: 'succeeded', duration_ms: '12', holder: null, failures_in_row: 0 });
    expect(after['last_run_at']).toEqual(after['last_succeeded_at']);
    expect(Number(after['next_in'])).toBeGreaterThanOrEqual(3_595);
    expect(Number(after['next_in'])).toBeLessThanOrEqual(3_661);
    const { jobs, next_in_ms } = await due('ordinary');
    expect([jobs, Math.abs(Number(next_in_ms) / 1_000 - Number(after['next_in'])) < 5]).toEqual([[], true]);
  });

  test('that fails is tried again after a minute, two, four, and says why; a success ends the count', async () => {
    await register('failing');
    const waits: number[] = [];
    for (const _ of [1, 2, 3]) {
      const run = await claim('failing');
      await finish('failing', run?.token, { outcome: 'failed', error: 'The disk\nis full.' });
      waits.push(Number((await row('failing'))['next_in']));
      await makeDue('failing');
    }
    expect(waits.map((wait) => Math.round(wait / 60))).toEqual([1, 2, 4]);
    expect(await row('failing')).toMatchObject({ failures_in_row: 3, last_outcome: 'failed', last_succeeded_at: null });
    expect(String((await row('failing'))['error'])).toMatch(/^The disk.is full\.$/);

    await finish('failing', (await claim('failing'))?.token);

    expect(await row('failing')).toMatchObject({ failures_in_row: 0, last_outcome: 'succeeded', error: null });
  });

  test('whose lease expired is lost, and taken over in the next claim with a higher token', async () => {
    await register('lost');
    const first = await claim('lost');
    await expire('lost');
    expect((await due('lost')).jobs).toEqual([{ kind: 'lost' }]);

    const second = await claim('lost');

    expect(second?.token).toBe(Number(first?.token) + 1);
    expect(await row('lost')).toMatchObject({ last_outcome: 'lost', failures_in_row: 1, last_run_at: null });
    await finish('lost', second?.token);
    expect(await row('lost')).toMatchObject({ last_outcome: 'succeeded', failures_in_row: 0 });
  });

  test('is settled by its holder alone: a late one extends nothing and finishes nothing', async () => {
    await register('late');
    const first = await claim('late');
    await expire('late');
    const refused = { code: 'lock_lost' };
    await expect(finish('late', first?.token)).rejects.toMatchObject(refused);
    await expect(finish('late', first?.token, { outcome: 'released' })).rejects.toMatchObject(refused);
    const second = await claim('late');

    await expect(finish('late', first?.token)).rejects.toMatchObject(refused);
    await expect(as(NOBODY, 'extend_job', { kind: 'late', token: first?.token, seconds: 60 })).rejects.toMatchObject(
      refused,
    );

    await as(NOBODY, 'extend_job', { kind: 'late', token: second?.token, seconds: 60 });
    await expect(finish('late', second?.token, { outcome: 'lost' })).rejects.toMatchObject({ code: 'invalid_input' });
    await finish('late', second?.token);
    await expect(finish('late', second?.token)).rejects.toMatchObject(refused);
    await expect(finish('nothing', 1)).rejects.toMatchObject(refused);
  });

  test('that was given back is due at once, and no failure', async () => {
    await register('back');
    await finish('back', (await claim('back'))?.token, { outcome: 'released' });

    expect(await row('back')).toMatchObject({ last_outcome: null, failures_in_row: 0, last_run_at: null });
    expect(await claim('back')).toMatchObject({ token: 2 });
  });

  test('is claimed by its name: a worker is told of no kind that it does not know', async () => {
    await register('known');
    await register('unknown');

    expect((await due('known')).jobs).toEqual([{ kind: 'known' }]);
    expect((await due()).jobs).toEqual([]);
    expect(await claim('nowhere')).toBeNull();
  });
});

describe('what people say of a job', () => {
  test('pauses it, resumes it, and makes it due now', async () => {
    await register('paused');
    await change('paused', 'pause');
    expect([(await due('paused')).jobs, await claim('paused')]).toEqual([[], null]);

    await change('paused', 'resume');
    const run = await claim('paused');
    await finish('paused', run?.token);
    expect(await claim('paused')).toBeNull();
    await change('paused', 'run');

    expect((await due('paused')).jobs).toEqual([{ kind: 'paused' }]);
    await expect(change('nothing', 'run')).rejects.toMatchObject({ code: 'not_found' });
  });

  test('lets a paused job run once, unless it is paused again', async () => {
    await register('asked');
    await change('asked', 'pause');
    await change('asked', 'run');
    await change('asked', 'pause');
    expect(await claim('asked')).toBeNull();
    await change('asked', 'run');
    await finish('asked', (await claim('asked'))?.token, { outcome: 'released' });

    await finish('asked', (await claim('asked'))?.token);
    await makeDue('asked');
    expect([(await due('asked')).jobs, await claim('asked')]).toEqual([[], null]);
    expect((await row('asked'))['paused_at']).not.toBeNull();
  });

  test('sets how often it runs, within limits', async () => {
    await register('often');
    const set = (args: object) => as(owner, 'set_job', { kind: 'often', ...args });

    expect(await set({ every_seconds: 5 })).toMatchObject({ every_seconds: 5 });
    for (const bad of [{ every_seconds: 0 }, { settings: [] }, { settings: { a: 'x'.repeat(5_000) } }, { kind: 'A' }]) {
      await expect(set(bad)).rejects.toMatchObject({ code: 'invalid_input' });
    }
    expect(await row('often')).toMatchObject({ every_seconds: 5, settings: {} });
    await set({ settings: { a: 1, b: 2 } });
    expect(await set({ settings: { b: 3 } })).toMatchObject({ every_seconds: 5, settings: { a: 1, b: 3 } });
    await set({ settings: { c: 'x'.repeat(4_000) } });
    await expect(set({ settings: { d: 'x'.repeat(4_000) } })).rejects.toMatchObject({ code: 'invalid_input' });
  });

  test('of the installation is said by the user of the server’s machine, and seen by everybody', async () => {
    await register('shared');
    const refused = { code: 'forbidden', hint: expect.stringContaining('on the machine of the server') };
    for (const to of ['pause', 'run']) await expect(change('shared', to, ada)).rejects.toMatchObject(refused);
    await expect(as(ada, 'set_job', { kind: 'shared', every_seconds: 1 })).rejects.toMatchObject(refused);

    expect(await row('shared')).toMatchObject({ every_seconds: 3_600, paused_at: null });
  });

  test('is an owner’s to say, and the server’s to do', async () => {
    await as(ada, 'set_job', { kind: 'owned' });
    await scratch.sql.query(`insert into public.memberships (tenant_id, user_id, role) values ($1, $2, 'admin')`, [
      ada.tenant_id,
      eve.user_id,
    ]);

    await expect(change('owned', 'pause', { ...eve, tenant_id: ada.tenant_id })).rejects.toMatchObject({
      code: 'forbidden',
    });
    await expect(change('owned', 'pause', { ...ada, project_id: ada.tenant_id })).rejects.toMatchObject({
      code: 'forbidden',
    });
  });
});

describe('a job of a workspace', () => {
  test('is found across workspaces, and entered in its own alone', async () => {
    await as(ada, 'set_job', { kind: 'tidy', settings: { to: '/a' } });
    await as(eve, 'set_job', { kind: 'tidy', settings: { to: '/b' } });

    const found = (await due('tidy')).jobs;
    expect(found).toHaveLength(2);
    expect(found).toEqual(expect.arrayContaining([ada, eve].map(({ tenant_id }) => ({ kind: 'tidy', tenant_id }))));
    expect(await claim('tidy')).toBeNull();
    const run = await claim('tidy', { ...NOBODY, tenant_id: ada.tenant_id });

    expect(run).toEqual({ token: 1, settings: { to: '/a' }, user_id: ada.user_id });
    expect((await due('tidy')).jobs).toEqual([{ kind: 'tidy', tenant_id: eve.tenant_id }]);
    await expect(finish('tidy', 1, { actor: { ...NOBODY, tenant_id: eve.tenant_id } })).rejects.toMatchObject({
      code: 'lock_lost',
    });
    await finish('tidy', 1, { actor: { ...NOBODY, tenant_id: ada.tenant_id } });
  });

  test('is listed there, with those of the installation', async () => {
    await as(ada, 'set_job', { kind: 'mine' });
    await register('everybodys');
    const kindsOf = async (actor: Actor) => (await as<Listed>(actor, 'list_jobs', {})).jobs.map(({ kind }) => kind);

    expect(await kindsOf(ada)).toEqual(expect.arrayContaining(['mine', 'everybodys']));
    expect(await kindsOf(eve)).toEqual(expect.not.arrayContaining(['mine']));
    await expect(change('mine', 'pause', eve)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('is overdue when nobody runs it, which is found out when somebody asks', async () => {
    await register('overdue');
    const isOverdue = async () =>
      (await as<Listed>(ada, 'list_jobs', {})).jobs.find(({ kind }) => kind === 'overdue')?.overdue;
    const waits = (minutes: number) =>
      scratch.sql.query(`update app.jobs set next_run_at = now() - make_interval(mins => $1) where kind = 'overdue'`, [
        minutes,
      ]);

    expect(await isOverdue()).toBe(false);
    await waits(10);
    expect(await isOverdue()).toBe(false);
    await waits(12);
    expect(await isOverdue()).toBe(true);
    await claim('overdue');
    expect(await isOverdue()).toBe(false);
    const ranFor = `update app.jobs set started_at = now() - make_interval(mins => $1) where kind = 'overdue'`;
    await scratch.sql.query(ranFor, [110]);
    expect(await isOverdue()).toBe(false);
    await scratch.sql.query(ranFor, [125]);
    expect(await isOverdue()).toBe(true);
  });
});
