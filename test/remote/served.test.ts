import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AuthServing, startAuthServing } from '../support/auth-serving.ts';
import { cairn } from '../support/cairn.ts';
import { freePort } from '../support/free-port.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { callOf, sendRaw } from '../support/raw-http.ts';
import { startServing } from '../support/serve.ts';

let world: LocalWorld;
let serving: AuthServing;

beforeAll(async () => {
  world = await openLocalWorld();
});
afterAll(async () => {
  await serving?.stop();
  await world?.close();
});

const MAKING = {
  token: ['pat', 'create', '--name', 'ci'],
  invitation: ['invite'],
  'login link': ['owner', 'login-link'],
};

/** Runs it with no address of the tests in the environment. */
async function auth(args: string[], env: NodeJS.ProcessEnv = {}) {
  const ran = await cairn(['--data-dir', world.dataDir, 'auth', ...args], { env: { NO_COLOR: '1', ...env } });
  expect(ran).toMatchObject({ code: 0 });
  return ran;
}

// In this order: first nobody serves the database.
describe('what is made for an address', () => {
  test.for(Object.entries(MAKING))('says that nobody serves it: a %s', async ([, args]) => {
    const { stdout, stderr } = await auth(args);

    expect(stdout + stderr).toContain('http://127.0.0.1:7070/');
    expect(stderr).toContain('No server with --auth has served this database yet.');
  });

  test.for(Object.entries(MAKING))('is for the one that is served: a %s', async ([, args]) => {
    serving ??= await startAuthServing({ dataDir: world.dataDir });

    const { stdout, stderr } = await auth(args);

    expect(stdout + stderr).toContain(`${serving.origin}/`);
    expect(stderr).not.toContain('is served at');
  });

  test('is a token that opens the door', async () => {
    const { stdout } = await auth([...MAKING.token, '--json']);
    const call = callOf('list_projects');
    const headers = { ...call.headers, authorization: `Bearer ${JSON.parse(stdout).token}` };

    expect((await sendRaw(serving.url, { ...call, headers })).status).toBe(200);
  });

  test.for([
    ['a flag', ['--public-url', 'https://other.example'], {}],
    ['a variable', [], { CAIRN_PUBLIC_URL: 'https://other.example' }],
    ['a port', [], { CAIRN_PORT: '17999' }],
  ] as const)('is for the one that %s chooses, with a warning where nobody serves it', async ([, flags, env]) => {
    const { stdout, stderr } = await auth(['invite', ...flags], env);

    expect(stdout).toMatch(/https:\/\/other\.example\/|127\.0\.0\.1:17999\//);
    expect(stderr).toContain(`but this database is served at ${serving.origin}.`);
  });

  test('is warned about no more when it is served there too; the newest counts', async () => {
    const port = await freePort();
    const url = `http://localhost:${port}`;
    await (await startAuthServing({ dataDir: world.dataDir, flags: ['--public-url', url] })).stop();

    expect((await auth(['invite', '--public-url', serving.origin])).stderr).not.toContain('is served at');
    expect((await auth(['invite'])).stdout).toContain(`${url}/invite`);
  });

  test('is examined without saying which', async () => {
    const { stop, mcp } = await startAuthServing({ dataDir: world.dataDir, flags: ['--no-client-documents'] });

    const ran = await auth(['doctor']);
    await stop();

    expect(mcp.href).toContain('/mcp');
    expect(ran.stdout).toContain('ok  Claude Code may register');
  });

  test('is one of ten that were served last', async () => {
    await world.rows(`insert into app.served_urls select app.get_nil_id(), 'http://old.test:' || n, now() - interval '1 day'
      from generate_series(1, 20) n`);
    await (await startAuthServing({ dataDir: world.dataDir })).stop();

    expect(await world.rows('select from app.served_urls')).toHaveLength(10);
    expect((await auth(['invite'])).stdout).not.toContain('old.test');
  });

  test('is not where a server asks nobody', async () => {
    const before = await world.rows('select public_url, served_at from app.served_urls order by 1');
    await (await startServing(['--port', String(await freePort()), '--data-dir', world.dataDir])).stop();

    expect(await world.rows('select public_url, served_at from app.served_urls order by 1')).toEqual(before);
  });
});
