import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { followSession, readSession, saveSession, sessionFile } from '../../src/db/supabase/session.ts';
import { cairnHere } from '../support/cairn-here.ts';
import { logIn } from '../support/log-in.ts';
import { startRaw } from '../support/raw-agent.ts';
import { createScratch, type Scratch } from '../support/scratch.ts';
import { PUBLISHABLE_KEY, type SupabaseProject, startSupabase } from '../support/supabase.ts';

let scratch: Scratch;
let project: SupabaseProject;
let home: string;
let env: NodeJS.ProcessEnv;
let file: string;

beforeAll(async () => {
  scratch = await createScratch();
  project = await startSupabase(scratch.connection);
});

afterAll(async () => {
  await project.close();
  await scratch.drop();
});

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'cairn lögin-'));
  env = { SUPABASE_URL: project.url, SUPABASE_PUBLISHABLE_KEY: PUBLISHABLE_KEY, CAIRN_CONFIG_DIR: home };
  file = sessionFile(home, project.url);
});

afterEach(async () => {
  project.disturb(null);
  await rm(home, { recursive: true, force: true });
});

/** A session in the file, whose access token is good for so many seconds. */
async function session(seconds: number, email = 'ada@cairn.test') {
  project.auth.issueNextFor(seconds);
  const granted = await project.auth.signIn(email);
  await saveSession(file, { ...granted, expires_in: seconds });
  return { granted, user_id: granted.user.id };
}

const follow = (user_id: string) => followSession(file, user_id, { url: project.url, key: PUBLISHABLE_KEY });

/** Counts the refresh tokens used since. */
function countRefreshes(lose = false): () => number {
  let refreshes = 0;
  project.disturb((_, __, path) => {
    if (path !== '/auth/v1/token') return 'go on';
    refreshes += 1;
    return lose && refreshes === 1 ? 'lose answer' : 'go on';
  });
  return () => refreshes;
}

describe('signing in', () => {
  test('by a code sent by e-mail lets every process of the user work, until signing out', async () => {
    const login = logIn(['--email', 'ada@cairn.test'], env);
    await login.line(/Code: /);
    login.type('000000');
    await login.line(/wrong or too old/);
    login.type(project.auth.mailbox.at(-1)?.code ?? '');
    expect(await login.ended).toEqual({ code: 0, stderr: '' });

    const agent = await startRaw([], env);
    const created = await agent.call('create_project', { slug: 'web', name: 'Web' });
    const out = await cairnHere(['logout'], { env });
    const after = await agent.call('list_projects');
    await agent.close();

    expect(created).toMatchObject({ isError: false });
    expect(out).toMatchObject({ code: 0, stdout: 'Signed out.\n' });
    expect(after).toMatchObject({ isError: true, text: expect.stringContaining('unauthenticated: You signed out.') });
    expect(await readSession(file)).toBeNull();
    const { rows } = await scratch.sql.query(
      `select u.name from public.projects p join public.users u on u.id = p.user_id`,
    );
    expect(rows).toEqual([{ name: 'ada@cairn.test' }]);
  });

  test('with wrong codes only ends after three', async () => {
    const login = logIn(['--email', 'eve@cairn.test'], env);
    for (const code of ['1', '2', '3']) login.type(code);

    const { code, stderr } = await login.ended;

    expect(code).toBe(1);
    expect(stderr).toContain('The code was refused. The Auth server says: Token has expired or is invalid.');
    expect(await readSession(file)).toBeNull();
  });

  test('in the browser brings it back to a page that says so', async () => {
    const login = logIn(['--provider', 'github', '--no-browser'], env);
    const address = await login.line(/http:\S+authorize\S+/);

    const page = await fetch(address);

    expect(await page.text()).toBe('You are signed in. You may close this page.');
    expect(new URL(page.url).hostname).toBe('127.0.0.1');
    expect(await login.ended).toEqual({ code: 0, stderr: '' });
    expect(await readSession(file)).toMatchObject({ email: 'ada@github.test' });
  });

  test('in the browser, refused there, says why', async () => {
    const login = logIn(['--provider', 'denied', '--no-browser'], env);
    const address = await login.line(/http:\S+authorize\S+/);
    const stray = await fetch(new URL('/?code=made-up', new URL(address).searchParams.get('redirect_to') ?? ''));

    await fetch(address);

    expect(stray.status).toBe(404);
    expect(await login.ended).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('The user denied the request'),
    });
  });

  test.each([
    ['without a way to', [], /--email ADDRESS or --provider NAME/],
    ['both ways at once', ['--email', 'a@b.c', '--provider', 'github'], /--email ADDRESS or --provider NAME/],
  ])('%s says how', async (_, args, said) => {
    expect(await logIn([...args], env).ended).toMatchObject({ code: 2, stderr: expect.stringMatching(said) });
  });

  test('is asked for by an agent that calls before', async () => {
    const agent = await startRaw([], env);

    const refused = await agent.call('list_projects');
    await session(3_600);
    const accepted = await agent.call('list_projects');
    await agent.close();

    expect(refused).toMatchObject({ isError: true, text: expect.stringContaining('Run `cairn login`') });
    expect(accepted).toMatchObject({ isError: false });
  });

  test('out of nothing says so', async () => {
    expect(await cairnHere(['logout'], { env })).toMatchObject({ code: 0, stdout: 'Nobody is signed in.\n' });
    const { stdout } = await cairnHere(['logout', '--json'], { env });
    expect(JSON.parse(stdout)).toEqual({ signed_out: false, server_told: false });
  });

  test('out without the server being there still removes the session', async () => {
    await session(3_600);
    const url = 'http://127.0.0.1:1';
    const elsewhere = sessionFile(home, url);
    await writeFile(elsewhere, await readFile(file));

    const { code, stdout } = await cairnHere(['logout'], { env: { ...env, SUPABASE_URL: url } });

    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Signed out on this machine; the server was not told.\n' });
    expect(await readSession(elsewhere)).toBeNull();
    expect(await readSession(file)).not.toBeNull();
  });
});

describe('a session', () => {
  test.skipIf(process.platform === 'win32')('is readable by its owner alone', async () => {
    await session(3_600);

    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(home, 'sessions'))).mode & 0o777).toBe(0o700);
  });

  test('that runs out is refreshed once, by however many processes', async () => {
    await session(-10);
    const refreshes = countRefreshes();

    const agents = await Promise.all(Array.from({ length: 4 }, () => startRaw([], env)));
    const answers = await Promise.all(agents.map((agent) => agent.call('list_projects')));
    await Promise.all(agents.map((agent) => agent.close()));

    expect(answers.map(({ isError }) => isError)).toEqual([false, false, false, false]);
    expect(refreshes()).toBe(1);
  });

  test('outlives a refresh whose answer was lost', async () => {
    const { user_id } = await session(-10);
    const refreshes = countRefreshes(true);

    const token = await follow(user_id).accessToken();

    expect(await project.auth.verify(token)).toMatchObject({ sub: user_id });
    expect(refreshes()).toBe(2);
  });

  test('that the server ended asks to sign in again', async () => {
    const { user_id, granted } = await session(-10);
    await saveSession(file, { ...granted, refresh_token: 'revoked', expires_in: -10 });

    await expect(follow(user_id).accessToken()).rejects.toMatchObject({
      code: 'unauthenticated',
      hint: 'Run `cairn login`.',
    });
  });

  test('that cannot be refreshed for want of a network is unavailable', { timeout: 60_000 }, async () => {
    const { user_id } = await session(-10);
    const nowhere = followSession(file, user_id, { url: 'http://127.0.0.1:1', key: PUBLISHABLE_KEY });

    await expect(nowhere.accessToken()).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  });

  test('of someone else does not make a running process that person', async () => {
    const { user_id } = await session(3_600);
    const running = follow(user_id);
    await session(3_600, 'bob@cairn.test');

    await expect(running.accessToken()).rejects.toMatchObject({
      code: 'unauthenticated',
      message: 'Someone else signed in.',
    });
  });

  test('whose file was damaged is none', async () => {
    await session(3_600);
    await writeFile(file, '{"user_id":');

    expect(await readSession(file)).toBeNull();
  });

  test('that was refused is replaced once, by whoever comes first', async () => {
    const { user_id, granted } = await session(3_600);
    const refreshes = countRefreshes();

    await Promise.all([follow(user_id).renew(granted.access_token), follow(user_id).renew(granted.access_token)]);

    expect(refreshes()).toBe(1);
    expect(await follow(user_id).accessToken()).not.toBe(granted.access_token);
  });
});
