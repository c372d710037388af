import { describe, expect, test } from 'vitest';
import { saveStaticClient } from '../../src/auth/server/issue.ts';
import { newClient, REDIRECT, rawClient, type TestBrowser, useAuthWorld } from '../support/auth-world.ts';

// Our address leads on to nobody's without a person. Threats: docs/security.md.

const { own } = useAuthWorld();

describe('a request of a client that nobody vouches for', () => {
  const wrong = { response_type: 'token' };
  const shownTo = async (browser: TestBrowser, client: ReturnType<typeof rawClient>, bent = {}) => {
    const { status, headers } = await browser.go(client.authorizationUrl({ ...wrong, ...bent }));
    return [status, headers.get('location')?.split('?')[0] ?? null];
  };
  const TOLD = [400, null];

  test('leads nowhere when it is not valid, whoever opens it: the person is told', async () => {
    const [ada, eve] = [await own().signIn(), await own().signIn()];
    const client = await newClient(own());
    await ada.allow(client.authorizationUrl());
    const nobody = await fetch(client.authorizationUrl(wrong), { redirect: 'manual' });

    expect([nobody.status, nobody.headers.get('location')]).toEqual(TOLD);
    expect(await shownTo(eve, client)).toEqual(TOLD);
    expect(await shownTo(ada, client)).toEqual([303, REDIRECT]);
  });

  test('leads only where the person sent an answer before, and for as long as the access lasts', async () => {
    const ada = await own().signIn();
    const there = 'https://app.example/cb';
    const client = await newClient(own(), { redirect_uris: [REDIRECT, there] });
    await ada.allow(client.authorizationUrl());

    expect(await shownTo(ada, client, { redirect_uri: there })).toEqual(TOLD);
    await own().db.call('revoke_access', { chosen: { client_id: client.client_id } }, { user_id: ada.user_id });
    expect(await shownTo(ada, client)).toEqual(TOLD);
  });

  test('is another thing than one of a client that an administrator added', async () => {
    const ada = await own().signIn();
    const added = {
      client_id: crypto.randomUUID(),
      client_name: 'Added',
      redirect_uris: [REDIRECT],
      confidential: false,
    };
    await saveStaticClient(own().db, { user_id: ada.user_id }, added);

    expect(await shownTo(await own().signIn(), rawClient(own(), added.client_id))).toEqual([303, REDIRECT]);
  });
});
