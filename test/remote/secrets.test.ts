import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AuthServing, allow, startAuthServing } from '../support/auth-serving.ts';
import { rawClient, registerClient } from '../support/auth-world.ts';
import { cairnHere } from '../support/cairn-here.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { callOf, sendRaw } from '../support/raw-http.ts';
import { Browser, PASSWORD } from '../support/web.ts';

let world: LocalWorld;
let serving: AuthServing;
/** Everything that was answered after a secret was used: bodies, and addresses that browsers were sent to. */
const said: string[] = [];
const secrets = new Map<string, string>();

beforeAll(async () => {
  world = await openLocalWorld();
  serving = await startAuthServing({ dataDir: world.dataDir, flags: ['--log-level', 'debug'] });
});
afterAll(async () => {
  await serving?.stop();
  await world?.close();
});

async function call(token: string): Promise<number> {
  const asked = callOf('list_projects');
  const headers = { ...asked.headers, authorization: `Bearer ${token}` };
  const { status, text, headers: answered } = await sendRaw(serving.url, { ...asked, headers });
  said.push(text, JSON.stringify(answered));
  return status;
}

/** A refusal, or what else is told about something that was used. */
async function tell(response: Response, status: number): Promise<void> {
  said.push(await response.text(), JSON.stringify([...response.headers]));
  expect(response.status).toBe(status);
}

async function auth(args: string[], input?: string): Promise<Record<string, string>> {
  const flags = ['--data-dir', world.dataDir, '--log-level', 'debug'];
  const ran = await cairnHere([...flags, 'auth', ...args, '--json'], {
    input,
    env: { CAIRN_PUBLIC_URL: serving.origin },
  });
  expect(ran.code).toBe(0);
  said.push(ran.stderr);
  return JSON.parse(ran.stdout);
}

/** A program that registers with a secret, gets a code, a pair of tokens, another pair, and has its access ended. */
async function connect(): Promise<void> {
  const registered = await registerClient(serving.origin, { token_endpoint_auth_method: 'client_secret_post' });
  const proof = { client_secret: String(registered['client_secret']) };
  const client = rawClient(serving, String(registered['client_id']));
  const browser = await serving.signIn();
  const asked = await browser.fetch(client.authorizationUrl());
  const consent = new URL(asked.headers.get('location') ?? '', serving.origin);
  const back = await allow(browser, consent);
  const code = back.searchParams.get('code') ?? '';
  const first = (await (await client.redeem(code, proof)).json()) as Record<string, string>;
  const second = (await (await client.refresh(first['refresh_token'] ?? '', proof)).json()) as Record<string, string>;
  for (const [name, value] of [
    ['client', proof.client_secret],
    ['request', consent.searchParams.get('request')],
    ['code', code],
    ...[...browser.cookies].map(([cookie, value]) => [`cookie ${cookie}`, value] as const),
    ...[first, second].flatMap((pair, at) =>
      ['access_token', 'refresh_token'].map((kind) => [`${kind} ${at}`, pair[kind]] as const),
    ),
  ] as const) {
    secrets.set(name, value ?? '');
  }
  expect(await call(second['access_token'] ?? '')).toBe(200);
  await tell(await fetch(consent, { redirect: 'manual', headers: { cookie: cookieOf(browser) } }), 400);
  await tell(await client.redeem('cairn_ac_wrong', proof), 400);
  await tell(await client.refresh(second['refresh_token'] ?? '', { client_secret: 'wrong' }), 401);
  await tell(await client.revoke(second['access_token'] ?? '', proof), 200);
  expect(await call(second['access_token'] ?? '')).toBe(401);
  await tell(await client.redeem(code, proof), 400);
  await tell(await client.refresh(first['refresh_token'] ?? '', proof), 400);
  said.push((await browser.open('/account')).text, (await browser.open('/admin')).text);
}

const cookieOf = (browser: Browser) => [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');

async function makeForPeople(): Promise<void> {
  const { token = '' } = await auth(['pat', 'create', '--name', 'ci', '--scope', 'projects:read']);
  expect(await call(token)).toBe(200);
  await auth(['pat', 'revoke', '--token-stdin'], token);
  expect(await call(token)).toBe(401);
  const { invitation = '', link = '' } = await auth(['invite', '--role', 'member']);
  const guest = new Browser(serving);
  said.push((await guest.open(link)).url.href);
  const { client_secret = '' } = await auth([
    'clients',
    'add',
    'ci',
    '--redirect',
    'https://ci.example/cb',
    '--secret',
  ]);
  for (const [name, value] of Object.entries({ token, invitation, client_secret })) secrets.set(`made ${name}`, value);
}

/** Every row of every table that is ours, as text. */
async function dump(): Promise<{ tables: number; text: string }> {
  const tables = await world.rows<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`,
  );
  const rows = await world.rows<{ row: string }>(
    tables.map(({ name }) => `select to_jsonb(t)::text as row from ${name} t`).join(' union all '),
  );
  return { tables: tables.length, text: rows.map(({ row }) => row).join('\n') };
}

describe('a secret that was given out', () => {
  test('is afterwards in no table, no line of the log, no answer and no address', async () => {
    await connect();
    await makeForPeople();
    secrets.set('password', PASSWORD);

    const { tables, text } = await dump();

    expect(tables).toBeGreaterThan(20);
    expect(text).toContain('token.refused');
    expect([...secrets].filter(([, value]) => value.length < 12)).toEqual([]);
    expect(secrets.size).toBeGreaterThanOrEqual(13);
    expect(serving.log.length).toBeGreaterThan(20);
    const places = { tables: text, log: serving.log.join('\n'), answers: said.join('\n') };
    const found = Object.entries(places).flatMap(([place, whole]) =>
      [...secrets].filter(([, value]) => whole.includes(value)).map(([name]) => `${name} in ${place}`),
    );
    expect(found).toEqual([]);
  });
});

describe('a login that is older than a day', () => {
  test('is asked for again at consent, once, and then leads back to the page', async () => {
    const client = rawClient(serving, String((await registerClient(serving.origin))['client_id']));
    const browser = await serving.signIn();
    await world.rows("update app.auth_sessions set auth_at = auth_at - interval '25 hours'");

    const shown = await browser.open(client.authorizationUrl());
    expect([shown.url.pathname, shown.url.searchParams.get('again'), shown.status]).toEqual(['/login', '1', 200]);
    const consent = await browser.submit('/login', { password: PASSWORD });

    expect([consent.url.pathname, consent.status]).toEqual(['/oauth/consent', 200]);
    const back = await browser.submit('/oauth/consent', { decision: 'allow', scope: 'tasks:read' });
    expect(back.url.searchParams.get('code')).toMatch(/^cairn_ac_/);
  });
});
