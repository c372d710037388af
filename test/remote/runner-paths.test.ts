import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import type { Context } from '../../src/context.ts';
import { revokeAccess } from '../../src/services/access.ts';
import { listAudit } from '../../src/services/audit.ts';
import { test as driven } from '../runner/ways.ts';
import { call } from '../support/calls.ts';
import { callOf, sendRaw } from '../support/raw-http.ts';
import type { RunnerServer } from '../support/runner-server.ts';
import { serveRunners } from '../support/runner-server.ts';
import { claimed, completed, runnerOf } from '../support/runners.ts';

const HERON = { name: 'heron', type: 'other', driver: 'pipe' };
const PATHS = ['register', 'beat', 'control', 'claim', 'output', 'settle'];

type Started = { run: { id: string }; lock_token: number };
type Registered = {
  token: string;
  held: number;
  ask: (path: string, body: unknown) => ReturnType<RunnerServer['ask']>;
};

/** `heron` is registered by its own token. */
const test = driven.extend<{ heron: Registered }>({
  heron: async ({ as, server }, use) => {
    const { token } = await server.tokenOf(as('heron'), { agent: 'heron' });
    const ask: Registered['ask'] = (path, body) => server.ask(path, body, { token });
    const { token: held } = await ask('register', { agent: HERON });
    await use({ token, held: Number(held), ask });
  },
});

const send = (ctx: Context, to = 'heron') => call(ctx, 'send_command', { to: [to], content: 'Fish.' });

test('who drives an agent is on the audit trail with the address that the server saw', async ({ as, heron }) => {
  await heron.ask('beat', { agent: 'heron', token: heron.held, beat: { runs: [], leaving: true } });

  const { entries } = await listAudit(as('ada'), { agent: 'heron', page_size: 50 });

  expect(entries.map(({ kind, ip }) => [kind, ip])).toEqual([
    ['agent_disconnect', '127.0.0.1'],
    ['agent_connect', '127.0.0.1'],
  ]);
});

describe('each path of runners', () => {
  test.for(PATHS)(
    '%s refuses who has no token, a dead one, or one that drives no agent',
    async (path, { as, server }) => {
      const none = await server.ask(path, {});
      const { id, token: dead } = await server.tokenOf(as('heron'), { agent: 'heron' });
      await server.ask(path, {}, { token: dead });
      await revokeAccess(as('ada'), { id, everything: false });
      const { token: other } = await server.tokenOf(as('heron'), { scope: 'agents:read agents:send tasks:write' });

      expect(none).toMatchObject({ status: 401, error: 'unauthenticated', hint: expect.any(String) });
      expect(none.headers.get('www-authenticate')).toMatch(/^Bearer .*resource_metadata=/);
      expect(await server.ask(path, {}, { token: dead })).toMatchObject({
        status: 401,
        message: expect.stringContaining('It was revoked'),
      });
      expect(await server.ask(path, {}, { token: other })).toMatchObject({ status: 403, error: 'insufficient_scope' });
    },
  );

  test.for(PATHS)(
    '%s refuses a body that is large, no JSON or not what it asks for',
    async (path, { heron, server }) => {
      const given = (body: unknown, headers = {}) => server.ask(path, body, { token: heron.token, headers });
      const invalid = { status: 400, error: 'invalid_input' };

      expect(await given('x'.repeat(1_048_577))).toMatchObject({ status: 413, error: 'payload_too_large' });
      expect(await given('{"agent":')).toMatchObject(invalid);
      expect(await given('{}', { 'content-type': 'text/plain' })).toMatchObject(invalid);
      expect(await given('null')).toMatchObject(invalid);
      expect(await given({})).toMatchObject(invalid);
      expect(await given({ agent: 'heron', token: 'x', held: 1, run: [], lock_token: -1, extra: 1 })).toMatchObject(
        invalid,
      );
    },
  );

  test.for(PATHS)(
    '%s takes nothing but POST, from no other page and by no other name',
    async (path, { heron, server }) => {
      const url = new URL(`/api/v1/runner/${path}`, server.url);
      const headers = { authorization: `Bearer ${heron.token}` };

      expect((await fetch(url, { headers })).status).toBe(405);
      expect(await heron.ask(`${path}/more`, {})).toMatchObject({ status: 404, error: 'not_found' });
      const foreign = { origin: 'https://evil.example' };
      expect(await server.ask(path, {}, { token: heron.token, headers: foreign })).toMatchObject({ status: 403 });
      expect(await sendRaw(url, { method: 'POST', headers: { host: 'evil.example' } })).toMatchObject({ status: 421 });
    },
  );
});

describe('a token of a runner', () => {
  test('speaks for its agent alone', async ({ as, heron }) => {
    const egret = await runnerOf(as('egret'), 'egret');
    await send(as('ada'), 'egret');
    const { run, lock_token } = await claimed(egret);
    const forbidden = { status: 403, error: 'forbidden', message: 'This token drives the agent heron alone.' };
    const at = new Date().toISOString();

    expect(await heron.ask('register', { agent: { ...HERON, name: 'ibis' } })).toMatchObject(forbidden);
    expect(await heron.ask('register', { agent: { ...HERON, name: 'egret' } })).toMatchObject(forbidden);
    const { token } = egret;
    expect(await heron.ask('beat', { agent: 'egret', token, beat: { runs: [] } })).toMatchObject(forbidden);
    expect(await heron.ask('claim', { agent: 'egret', token, holding: [] })).toMatchObject(forbidden);
    expect(await heron.ask('claim', { agent: egret.id, token, holding: [] })).toMatchObject(forbidden);
    expect(await heron.ask('control', { agent: 'egret', held: [] })).toMatchObject(forbidden);
    const report = { run: run.id, lock_token, events: [completed] };
    expect(await heron.ask('settle', report)).toMatchObject(forbidden);
    const chunks = [{ sequence: 0, stream: 'stdout', content: 'x', at }];
    expect(await heron.ask('output', { run: run.id, lock_token, chunks })).toMatchObject(forbidden);
    expect(await call(as('ada'), 'list_runs')).toMatchObject({ runs: [{ status: 'running' }] });
  });

  test('names its agent in a hint as a shell takes it', async ({ as, server }) => {
    const { token } = await server.tokenOf(as('heron'), { agent: "Ada's heron" });

    expect(await server.ask('register', { agent: HERON }, { token })).toMatchObject({
      status: 403,
      hint: expect.stringContaining(`--name 'Ada'\\''s heron', or`),
    });
  });

  test('that is limited to a project drives its agent there', async ({ as, server }) => {
    for (const slug of ['web', 'shop']) await call(as('ada'), 'create_project', { slug, name: slug });
    const { token } = await server.tokenOf(as('heron'), { agent: 'heron', project: 'web' });
    const ask = (path: string, body: object) => server.ask(path, body, { token });
    const register = () => ask('register', { agent: HERON });
    const command = (given: object) => call(as('ada'), 'send_command', { to: ['heron'], content: 'Fish.', ...given });

    const first = await register();
    expect(first).toMatchObject({ status: 200, agent: { name: 'heron', project: 'web' } });
    const leaving = { agent: 'heron', token: first['token'], beat: { runs: [], leaving: true } };
    expect(await ask('beat', leaving)).toMatchObject({ status: 200 });
    const { token: held } = await register();
    await command({ project: 'web' });
    const { run, lock_token } = (await ask('claim', { agent: 'heron', token: held, holding: [] })) as never as Started;
    const report = { run: run.id, lock_token, events: [completed] };
    expect(await ask('settle', report)).toMatchObject({ status: 'completed' });

    await expect(command({ project: 'shop' })).rejects.toMatchObject({ code: 'forbidden' });
    expect(await call(as('ada'), 'list_runs')).toMatchObject({ runs: [{ status: 'completed' }] });
  });

  test('finds nothing of another workspace', async ({ as, asStranger, heron, server }) => {
    const { token } = await server.tokenOf(asStranger('heron'), { agent: 'heron' });
    await send(as('ada'));
    const { run, lock_token } = (await heron.ask('claim', {
      agent: 'heron',
      token: heron.held,
      holding: [],
    })) as never as Started;
    const unknown = { status: 404, error: 'not_found' };
    const ask = (path: string, body: object) => server.ask(path, body, { token });

    expect(await ask('beat', { agent: 'heron', token: heron.held, beat: { runs: [] } })).toMatchObject(unknown);
    expect(await ask('claim', { agent: 'heron', token: heron.held, holding: [] })).toMatchObject(unknown);
    expect(await ask('control', { agent: 'heron', held: [] })).toMatchObject(unknown);
    expect(await ask('settle', { run: run.id, lock_token, events: [completed] })).toMatchObject(unknown);
    expect(await ask('output', { run: run.id, lock_token, chunks: [] })).toMatchObject(unknown);
  });

  test('acts under the name of its agent, whatever name its caller sends', async ({ as, server }) => {
    const { token } = await server.tokenOf(as('heron'), { agent: 'heron', scope: 'agents:run projects:write' });
    const { headers, ...asked } = callOf('create_project', { slug: 'web', name: 'Web' });
    const named = { ...headers, authorization: `Bearer ${token}`, 'cairn-agent': 'egret' };

    await sendRaw(new URL('/mcp', server.url), { ...asked, headers: named });

    const { events } = await call(as('ada'), 'list_events', { project: '*', after_seq: 0 });
    expect(events).toMatchObject([{ type: 'project.created', by: 'heron' }]);
  });

  test('calls no tool', async ({ heron, server }) => {
    const asked = async (name: string) => {
      const { headers, ...call } = callOf(name);
      const authorization = `Bearer ${heron.token}`;
      return (await sendRaw(new URL('/mcp', server.url), { ...call, headers: { ...headers, authorization } })).status;
    };

    for (const name of ['list_agents', 'send_command', 'list_runs', 'get_output', 'list_projects', 'claim_task']) {
      expect([name, await asked(name)]).toEqual([name, 403]);
    }
  });
});

describe('control', () => {
  const timed = async <T>(work: Promise<T>) => {
    const at = performance.now();
    return { answer: await work, ms: performance.now() - at };
  };

  test('is answered at once when a command comes, when a run is to end, and when all stop', async ({ as, heron }) => {
    const { held: token, ask } = heron;
    const control = (held: object[] = [], seen?: object) => ask('control', { agent: 'heron', held, seen });

    const [comes] = await Promise.all([timed(control()), sleep(300).then(() => send(as('ada')))]);
    const { run, lock_token } = (await ask('claim', { agent: 'heron', token, holding: [] })) as never as Started;
    const held = [{ run: run.id, lock_token }];
    const [ends] = await Promise.all([
      timed(control(held)),
      sleep(300).then(() => call(as('ada'), 'interrupt_run', { run: run.id, reason: 'Enough.' })),
    ]);
    const [stops] = await Promise.all([
      timed(control(held, { runs: ends.answer['runs'], queued: false })),
      sleep(300).then(() => call(as('ada'), 'stop_agents', { reason: 'Smoke.' })),
    ]);

    expect(comes.answer).toMatchObject({ queued: true });
    expect(ends.answer).toMatchObject({ runs: [{ run: run.id, state: 'interrupt', reason: 'Enough.' }] });
    expect(stops.answer).toMatchObject({ stopped: expect.stringContaining('Smoke.') });
    for (const { ms } of [comes, ends, stops]) {
      expect(ms).toBeGreaterThan(250);
      expect(ms).toBeLessThan(900);
    }
  });

  test('ends when its token does', async ({ as, heron }) => {
    const [ended] = await Promise.all([
      timed(heron.ask('control', { agent: 'heron', held: [] })),
      sleep(300).then(() => revokeAccess(as('ada'), { everything: true })),
    ]);

    expect(ended.answer).toMatchObject({
      status: 401,
      error: 'unauthenticated',
      message: expect.stringContaining('It was revoked'),
    });
    expect(ended.ms).toBeLessThan(900);
  });

  test('waits for news, once for each runner', async ({ as, heron }) => {
    const first = timed(heron.ask('control', { agent: 'heron', held: [] }));
    await sleep(400);
    const second = timed(heron.ask('control', { agent: 'heron', held: [] }));
    const { ms, answer } = await first;
    expect(ms).toBeGreaterThan(350);
    expect(answer).toMatchObject({ status: 200, queued: false, runs: [] });

    await send(as('ada'));
    expect((await second).answer).toMatchObject({ queued: true });
  });
});

test('a caller with too many calls is told when to come back', async ({ as }) => {
  const waitingMax = { grant: 0, user: 0, all: 0 };
  const server = await serveRunners(as('ada'), { callsMax: 0, waitingMax });
  const { token } = await server.tokenOf(as('heron'), { agent: 'heron' });

  const refused = await server.ask('register', { agent: HERON }, { token });
  await server.close();

  expect(refused).toMatchObject({ status: 429, error: 'rate_limited' });
  expect(refused.headers.get('retry-after')).toBe('1');
});
