import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type AuthServing, allow, startAuthServing } from '../support/auth-serving.ts';
import { REDIRECT, rawClient, registerClient } from '../support/auth-world.ts';
import { cairnHere } from '../support/cairn-here.ts';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { ACCEPT, callOf, INITIALIZE, sendRaw } from '../support/raw-http.ts';

// Two processes under one name, as behind a proxy that sends requests to either.

let world: LocalWorld;
let one: AuthServing;
let other: AuthServing;

beforeAll(async () => {
  world = await openLocalWorld();
  one = await startAuthServing({ dataDir: world.dataDir });
  other = await startAuthServing({ dataDir: world.dataDir, flags: ['--public-url', one.origin] });
});
afterAll(async () => {
  await Promise.all([one?.stop(), other?.stop()]);
  await world?.close();
});

/** A token that the first gave. */
async function connect(): Promise<{ client: ReturnType<typeof rawClient>; token: string }> {
  const client = rawClient(one, String((await registerClient(one.origin)).client_id));
  const back = await allow(await one.signIn(), client.authorizationUrl());
  expect(back.href).toContain(REDIRECT);
  const { access_token } = (await (await client.redeem(back.searchParams.get('code') ?? '')).json()) as Record<
    string,
    string
  >;
  return { client, token: access_token ?? '' };
}

const asks = (token: string) => ({ authorization: `Bearer ${token}`, host: new URL(one.origin).host });

async function callAtOther(token: string): Promise<number> {
  const call = callOf('list_projects');
  return (await sendRaw(other.url, { ...call, headers: { ...call.headers, ...asks(token) } })).status;
}

/**
 * Opens the long-lived requests at the other server: a session's stream, and a call that waits. Each resolves to how it
 * ended.
 */
async function openAtOther(token: string): Promise<Promise<string>[]> {
  const headers = { ...ACCEPT, ...asks(token) };
  const { headers: opened } = await sendRaw(other.url, { ...INITIALIZE, headers });
  const stream = { headers: { ...headers, 'mcp-session-id': String(opened['mcp-session-id']) } };
  const waiting = callOf('wait_for_events', { timeout_seconds: 50 });
  const asked = [stream, { ...waiting, headers: { ...waiting.headers, ...asks(token) } }];
  const ends = asked.map((each) =>
    sendRaw(other.url, each).then(
      ({ text }) => `answered ${text}`,
      (error: Error) => error.message,
    ),
  );
  await vi.waitUntil(async () => {
    const { text } = await sendRaw(new URL('/metrics', other.url), {});
    // Beside the request that asks.
    return /^cairn_open_streams 1$/m.test(text) && /^cairn_requests_in_flight 2$/m.test(text);
  }, 10_000);
  return ends;
}

describe('what is revoked at one replica', () => {
  test('is refused by the other at its very next request, and what was open there is cut', async () => {
    const { client, token } = await connect();
    expect(await callAtOther(token)).toBe(200);
    const open = await openAtOther(token);

    const began = Date.now();
    expect((await client.revoke(token)).status).toBe(200);

    expect(await callAtOther(token)).toBe(401);
    // A call that has arrived, but has not yet shown its token, is refused.
    for (const end of open) expect(await end).toMatch(/aborted|socket hang up|ECONNRESET|It was revoked/);
    expect(Date.now() - began).toBeLessThan(20_000);
  });

  test.for([
    ['everything', '--everything', '--yes'],
    ['its client', '--client', 'CLIENT'],
  ])('so is what an admin ends from the command line: %s', async ([, ...flags]) => {
    const { client, token } = await connect();
    expect(await callAtOther(token)).toBe(200);

    const named = flags.map((flag) => (flag === 'CLIENT' ? client.client_id : flag));
    const ran = await cairnHere(['auth', 'revoke', ...named, '--data-dir', world.dataDir]);

    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining('Revoked 1 grant with') });
    expect(await callAtOther(token)).toBe(401);
  });
});
