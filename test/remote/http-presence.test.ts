import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { ACCEPT, callOf, INITIALIZE, sendRaw } from '../support/raw-http.ts';
import { type Serving, startServing } from '../support/serve.ts';

let world: LocalWorld;
let serving: Serving;

beforeAll(async () => {
  world = await openLocalWorld();
  serving = await startServing(['--data-dir', world.dataDir]);
});
afterAll(async () => {
  await serving?.stop();
  await world?.close();
});

type Headers = Record<string, string>;

async function openSession(): Promise<Headers> {
  const { headers } = await sendRaw(serving.url, INITIALIZE);
  return { ...ACCEPT, 'mcp-session-id': String(headers['mcp-session-id']) };
}

let count = 0;
let slug: string;

beforeEach(() => {
  count += 1;
  slug = `p${count}`;
});

/** Calls a tool in that session or, without one, as a client of the 2026-07-28 protocol. */
async function call(session: Headers | null, name: string, args: object = {}): Promise<string> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name, arguments: args } });
  const asked = session === null ? callOf(name, args) : { method: 'POST', headers: session, body };
  const { text } = await sendRaw(serving.url, asked);
  const { result } = JSON.parse(text.slice(text.indexOf('{')));
  return result.content.map((part: { text: string }) => part.text).join('');
}

async function hold(session: Headers | null): Promise<void> {
  await call(session, 'create_project', { slug, name: slug });
  await call(session, 'create_tasks', { project: slug, tasks: [{ title: 'A' }] });
  expect(await call(session, 'claim_task', { project: slug })).toContain('lock_token: ');
}

test('the end of a session is the end of its locks, two minutes later', async () => {
  const session = await openSession();
  await hold(session);
  const other = await openSession();
  expect(await call(other, 'claim_task', { task: `${slug}-1` })).toMatch(
    /^lock_held: Task \S+ is held by raw#\w{4}\.\n/,
  );

  await sendRaw(serving.url, { method: 'DELETE', headers: session });

  const refused = await call(other, 'claim_task', { task: `${slug}-1` });
  expect(refused).toMatch(/^lock_held: .* its session ended (just now|\d+ seconds? ago)\./);
  expect(await call(other, 'claim_task', { task: `${slug}-1`, take_over: true })).toContain('lock_token: ');
});

test('it is so with a call in flight, which does not bring the session back', async () => {
  const session = await openSession();
  await hold(session);
  const waiting = call(session, 'wait_for_events', { project: slug, timeout_seconds: 20 }).catch(() => 'gone');
  await pause(300);

  await sendRaw(serving.url, { method: 'DELETE', headers: session });
  await waiting;
  await pause(300);

  const other = await openSession();
  expect(await call(other, 'claim_task', { task: `${slug}-1` })).toMatch(/^lock_held: .* its session ended /);
});

test('of two sessions with one name neither is shown the token of the other', async () => {
  const named = async () => ({ ...(await openSession()), 'cairn-agent': 'window' });
  const [one, two] = [await named(), await named()];
  await hold(one);

  expect(await call(two, 'resume_project', { project: slug })).not.toContain('lock_token');
});

test('two clients with one token, without a session, hold no task both, and neither is told the token', async () => {
  await hold(null);

  expect(await call(null, 'claim_task', { task: `${slug}-1` })).toMatch(/^lock_held: /);
  const resumed = await call(null, 'resume_project', { project: slug });
  expect(resumed).not.toContain('lock_token');
  expect(resumed).not.toContain('session ended');
});

test('a call renews the locks of the grant, and no more than the calls of half a minute are one statement', async () => {
  await hold(null);
  const beats = () =>
    world.rows<{ beat_at: Date }>(
      'select p.beat_at from app.presence p join public.tenants t on t.id = p.tenant_id order by 1',
    );
  await expect.poll(async () => (await beats()).length).toBeGreaterThan(0);
  const before = await beats();

  for (let at = 0; at < 5; at += 1) await call(null, 'list_tasks', { project: slug });

  expect(await beats()).toEqual(before);
});
