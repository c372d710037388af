import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AuthServing, allow, startAuthServing } from '../support/auth-serving.ts';
import { rawClient, registerClient } from '../support/auth-world.ts';
import { cairnHere } from '../support/cairn-here.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { callOf, sendRaw } from '../support/raw-http.ts';

let world: LocalWorld;
let serving: AuthServing;

beforeAll(async () => {
  world = await openLocalWorld();
  serving = await startAuthServing({ dataDir: world.dataDir, flags: ['--access-token-seconds', '900'] });
});
afterAll(async () => {
  await serving?.stop();
  await world?.close();
});

async function auth(args: string[], input?: string) {
  const flags = ['--data-dir', world.dataDir];
  return cairnHere([...flags, 'auth', ...args], { input, env: { NO_COLOR: '1', CAIRN_PUBLIC_URL: serving.origin } });
}

/** Runs a command and parses its JSON. */
async function answered(...args: string[]) {
  const ran = await auth([...args, '--json']);
  expect(ran).toMatchObject({ stderr: '', code: 0 });
  return JSON.parse(ran.stdout);
}

async function statusOf(token: string): Promise<number> {
  const call = callOf('list_projects');
  const headers = { ...call.headers, authorization: `Bearer ${token}` };
  return (await sendRaw(serving.url, { ...call, headers })).status;
}

async function connect(): Promise<{ client_id: string; token: string }> {
  const client = rawClient(serving, String((await registerClient(serving.origin))['client_id']));
  const back = await allow(await serving.signIn(), client.authorizationUrl());
  const redeemed = await client.redeem(back.searchParams.get('code') ?? '');
  const { access_token, expires_in } = (await redeemed.json()) as { access_token: string; expires_in: number };
  expect(expires_in).toBe(900);
  await world.rows('truncate app.rates');
  return { client_id: client.client_id, token: access_token };
}

describe('cairn auth', () => {
  test('shows a connection and ends it: alone, with its client, with its user', async () => {
    for (const by of ['id', 'client_id', 'user_id'] as const) {
      const { client_id, token } = await connect();
      const { connections } = await answered('connections', '--client', client_id);
      expect(connections).toMatchObject([{ client_id, client_kind: 'dcr', redirect_host: 'localhost:8976' }]);

      const named = { id: [], client_id: ['--client'], user_id: ['--user'] }[by];
      expect(await answered('revoke', ...named, connections[0][by], '--reason', 'Not used.')).toMatchObject({
        grants: 1,
      });

      expect(await statusOf(token)).toBe(401);
      const { events } = await answered('events', '--type', 'token.issued');
      expect(events[0]).toMatchObject({ client_id, client: 'Test client' });
      const { connections: ended } = await answered('connections', '--client', client_id, '--ended');
      expect(ended).toMatchObject([{ revoked_reason: 'Not used.' }]);
    }
    expect(await answered('connections', '--all')).toEqual({ connections: [] });
    expect((await auth(['connections', '--all', '--ended'])).stdout).toContain('Test client');
  });

  test('says by its exit status that nothing matched, and asks before everything', async () => {
    expect(await auth(['revoke', '--client', 'dcr_unknown'])).toMatchObject({ code: 1, stderr: '' });
    expect(await auth(['revoke', '--everything'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
    expect(await auth(['revoke', 'no-uuid'])).toMatchObject({ code: 2, stderr: expect.stringContaining('not valid') });
    expect((await auth(['clients', 'block'])).code).toBe(2);
  });

  test('keeps a program out, and admits it again', async () => {
    const { client_id, token } = await connect();
    const isBlocked = async () =>
      (await answered('clients')).clients.find((client: { client_id: string }) => client.client_id === client_id)
        .blocked_at !== undefined;

    expect((await auth(['clients', 'block', client_id])).stdout).toContain('1 grants ended');
    expect([await statusOf(token), await isBlocked()]).toEqual([401, true]);

    expect((await auth(['clients', 'unblock', client_id])).code).toBe(0);
    expect(await isBlocked()).toBe(false);
  });

  test('makes a personal access token, lists it without its secret, and ends it by id and by whoever holds it', async () => {
    const make = (name: string, ...given: string[]) =>
      answered('pat', 'create', '--name', name, '--scope', 'projects:write', '--expires', '30d', ...given);
    const kept = await make('kept');
    const create = callOf('create_project', { slug: 'web', name: 'Web' });
    const headers = { ...create.headers, authorization: `Bearer ${kept.token}` };
    expect(await sendRaw(serving.url, { ...create, headers })).toMatchObject({ status: 200 });
    const leaked = await make('leaked', '--project', 'web');
    expect([kept.project, leaked.project]).toEqual([undefined, 'web']);

    const listed = await auth(['pat', 'list']);
    expect(listed.stdout).toMatch(/leaked .* web [\s\S]*kept /);
    const { connections } = await answered('connections');
    expect(connections).toMatchObject([{ client: 'leaked', project: 'web' }, { client: 'kept' }]);
    expect(listed.stdout).not.toContain('Test client');
    expect(listed.stdout).not.toContain('cairn_pat_');
    expect(await auth(['pat', 'revoke', '--token-stdin'], `${leaked.token}\n`)).toMatchObject({
      code: 0,
      stdout: 'Revoked.\n',
    });
    expect(await statusOf(leaked.token)).toBe(401);
    expect((await auth(['pat', 'revoke', kept.id])).code).toBe(0);
    expect(await statusOf(kept.token)).toBe(401);
    const typo = await auth(['pat', 'revoke', '--token-stdin'], leaked.token.replace(/.$/, '_'));
    expect(typo).toMatchObject({ code: 1, stderr: expect.stringContaining('a typo is noticed') });
    expect(typo.stderr).not.toContain(leaked.token.slice(10, 30));
    const all = await auth(['pat', 'create', '--name', 'x', '--scope', 'everything']);
    expect(all).toMatchObject({ code: 2, stderr: expect.stringContaining('Scopes:') });
    const nowhere = await auth(['pat', 'create', '--name', 'x', '--project', 'nowhere']);
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no project nowhere') });
  });

  test('invites, and lists members and what happened', async () => {
    const { link, role } = await answered('invite', '--email', 'ada@example.com', '--role', 'viewer');
    expect([new URL(link).origin, role]).toEqual([serving.origin, 'viewer']);
    const refused = await auth(['invite', '--role', 'king']);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('Roles:') });

    const { members } = await answered('members');
    expect(members).toMatchObject([{ role: 'owner' }]);
    const last = await auth(['members', 'set', members[0].user_id, '--role', 'viewer']);
    expect(last).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('The last owner of a workspace can be neither removed nor given a lower role'),
    });

    const { events } = await answered('events', '--since', '1h', '--type', 'invitation');
    expect(events).toMatchObject([{ type: 'invitation.created', data: { role: 'viewer' } }]);
    expect(JSON.stringify(events)).not.toContain(new URL(link).searchParams.get('code'));
  });

  test('counts what opens the workspace, and replaces it: the secret of one client, or all there is', async () => {
    const added = await answered('clients', 'add', 'ci', '--redirect', 'https://ci.example/cb', '--secret');
    const { token } = await connect();
    const pat = await answered('pat', 'create', '--name', 'ci', '--scope', 'projects:read');
    const browser = await serving.signIn();
    const counted = async () => {
      const { secrets } = (await answered('secrets')) as { secrets: { kind: string; count: number }[] };
      return Object.fromEntries(secrets.map(({ kind, count }) => [kind, count]));
    };
    expect(await counted()).toMatchObject({ client_secret: 1, access_token: 1, password: 1, personal_token: 1 });

    const {
      clients: [rotated],
    } = await answered('secrets', 'rotate', 'ci');
    expect([rotated.client_id, rotated.client_secret === added.client_secret]).toEqual(['ci', false]);
    const prove = async (secret: string) =>
      (await rawClient(serving, 'ci').revoke('x', { client_secret: secret })).status;
    expect([await prove(added.client_secret), await prove(rotated.client_secret)]).toEqual([401, 200]);
    expect(await auth(['secrets', 'rotate'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--everything'),
    });
    expect(await auth(['secrets', 'rotate', '--everything'])).toMatchObject({ code: 1 });

    const all = await auth(['secrets', 'rotate', '--everything', '--yes']);
    expect(all).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^cairn_cs_\S+\n$/),
      stderr: expect.stringMatching(/^Ended: .*\n.*set-password\nThe new secret of ci, shown once:\n$/),
    });
    expect([await statusOf(token), await statusOf(pat.token), await prove(rotated.client_secret)]).toEqual([
      401, 401, 401,
    ]);
    expect((await browser.open('/account')).url.pathname).toBe('/login');
    expect(await counted()).toMatchObject({
      access_token: 0,
      refresh_token: 0,
      personal_token: 0,
      invitation: 0,
      session: 0,
    });

    await answered('clients', 'add', 'deploy', '--redirect', 'https://deploy.example/cb', '--secret');
    expect(await auth(['secrets', 'rotate', '--everything', '--yes'])).toMatchObject({
      stdout: expect.stringMatching(/^(cairn_cs_\S+\n){2}$/),
      stderr: expect.stringMatching(/The new secrets, shown once, in this order: ci, deploy\n$/),
    });
  });

  test.for<[args: string[], value: RegExp, about: string]>([
    [['pat', 'create', '--name', 'script', '--agent', 'heron'], /^cairn_pat_\S+\n$/, 'to drive the agent heron alone'],
    [['invite', '--role', 'viewer'], /^http\S+\/invite\?code=\S+\n$/, 'for the role viewer'],
    [
      ['clients', 'add', 'once', '--redirect', 'https://once.example/cb', '--secret'],
      /^cairn_cs_\S+\n$/,
      'Added once.',
    ],
    [['secrets', 'rotate', 'once'], /^cairn_cs_\S+\n$/, 'The new secret of once'],
  ])('prints alone what %j shows once', async ([args, value, about]) => {
    const { code, stdout, stderr } = await auth(args);

    expect(code).toBe(0);
    expect(stdout).toMatch(value);
    expect(stderr).toContain(about);
    expect(stderr).not.toContain(stdout.trim());
  });

  test('deletes what is over', async () => {
    const counts = await answered('gc');

    expect(Object.values(counts).every(Number.isInteger)).toBe(true);
  });
});
