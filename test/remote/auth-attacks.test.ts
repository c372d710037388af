import { describe, expect, test } from 'vitest';
import { isAdmitted } from '../../src/auth/login/identity.ts';
import { hashSecret } from '../../src/auth/secrets.ts';
import { inviteMember } from '../../src/auth/server/issue.ts';
import { consentOf, newClient, REDIRECT, rawClient, registerClient, useAuthWorld } from '../support/auth-world.ts';

// Tests the attacks of docs/security.md; `npm run mutants` removes each mitigation to see a test here fail.

const { own, another } = useAuthWorld();

/** Returns the refusal that a client gets by way of the browser, after the person has allowed it. */
async function refusalOf(bent: Parameters<ReturnType<typeof rawClient>['authorizationUrl']>[0]) {
  const [browser, client] = [await own().signIn(), await newClient(own())];
  await browser.allow(client.authorizationUrl());
  const { headers } = await browser.go(client.authorizationUrl(bent));
  return new URL(headers.get('location') ?? own().origin).searchParams;
}

describe('a request for access', () => {
  test('that began in one browser opens in no other', async () => {
    const attacker = await own().signIn();
    const begun = await attacker.go((await newClient(own())).authorizationUrl());

    const shown = await (await own().signIn()).go(begun.headers.get('location') ?? '');

    expect(await shown.json()).toMatchObject({ status: 400, title: 'This request began in another browser' });
  });

  test('that one person opened is answered by no other, in the same browser', async () => {
    const [ada, eve] = [await own().signIn(), await own().signIn()];
    const view = await consentOf(ada, (await newClient(own())).authorizationUrl());
    ada.jar.set('sid', eve.jar.get('sid') ?? '');

    const shown = await ada.go(`/oauth/consent?request=${view.request}`);

    expect(shown.status).toBe(400);
  });

  test('is not granted by a form without the token of its page', async () => {
    const browser = await own().signIn();
    const view = await consentOf(browser, (await newClient(own())).authorizationUrl());

    expect((await browser.answer(view, { csrf: 'x'.repeat(43) })).status).toBe(400);
    expect((await browser.answer(view, {}, { 'sec-fetch-site': 'cross-site' })).status).toBe(400);
    expect((await browser.answer(view)).status).toBe(303);
  });

  test('is over when nobody has answered it in time', async () => {
    const on = await another({ settings: { requestSeconds: 0 } });

    const shown = await (await on.signIn()).open((await newClient(on)).authorizationUrl());

    expect(await shown.json()).toMatchObject({ status: 400, title: 'This request is over' });
  });

  test('asks every time, and is granted once', async () => {
    const browser = await own().signIn();
    const client = await newClient(own());
    const view = await consentOf(browser, client.authorizationUrl());

    const { status, headers } = await browser.answer(view);

    expect([status, headers.get('cache-control'), headers.get('referrer-policy')]).toEqual([
      303,
      'no-store',
      'no-referrer',
    ]);
    expect((await browser.answer(view)).status).toBe(400);
    expect((await browser.open(client.authorizationUrl())).status).toBe(200);
  });

  test.for([
    'https://evil.example/cb',
    'https://app.example/cb/',
    'https://app.example/cb?x=1',
    'https://app.example/CB',
    'https://app.example/cb#x',
    'https://app.example/x/../cb',
    'http://app.example/cb',
    'https://app.example.evil.example/cb',
    'https://app.example@evil.example/cb',
    'https://app.example\\@evil.example/cb',
    'http://localhost:8976/other',
    'http://localhost.evil.example:8976/callback',
    'http://127.0.0.1:8976/callback',
    'https://localhost:8976/callback',
    'cursor://anysphere.cursor-mcp/oauth/callback',
    'javascript:alert(1)',
    '//localhost:8976/callback',
  ])('to be answered at %s is not sent there', async (redirect_uri) => {
    const { client_id } = await registerClient(own().origin, { redirect_uris: [REDIRECT, 'https://app.example/cb'] });

    const shown = await (await own().signIn()).go(
      rawClient(own(), String(client_id)).authorizationUrl({ redirect_uri }),
    );

    expect([shown.status, shown.headers.get('location')]).toEqual([400, null]);
  });

  test('needs a code challenge of the method S256', async () => {
    expect((await refusalOf({ code_challenge_method: 'plain' })).get('error')).toBe('invalid_request');
    expect((await refusalOf({ code_challenge: undefined })).get('error')).toBe('invalid_request');
  });

  test('is for this server alone', async () => {
    const other = 'https://other.example/mcp';
    const client = await newClient(own());
    const back = await (await own().signIn()).allow(client.authorizationUrl());

    expect((await refusalOf({ resource: other })).get('error')).toBe('invalid_target');
    const redeemed = await client.redeem(back.searchParams.get('code') ?? '', { resource: other });
    expect([redeemed.status, await redeemed.json()]).toMatchObject([400, { error: 'invalid_target' }]);
  });

  test('that is refused names who refused it (RFC 9207)', async () => {
    expect((await refusalOf({ response_type: 'token' })).get('iss')).toBe(own().origin);
  });

  test('grants no more than it asked for', async () => {
    const browser = await own().signIn();
    const view = await consentOf(browser, (await newClient(own())).authorizationUrl({ scope: 'tasks:read' }));

    expect((await browser.answer(view, { scope: ['tasks:read', 'tasks:write'] })).status).toBe(400);
  });

  test('to write can be granted for reading alone', async () => {
    const client = await newClient(own());
    const asked = client.authorizationUrl({ scope: 'tasks:write' });

    const back = await (await own().signIn()).allow(asked, { scope: ['tasks:read'] });

    const redeemed = await client.redeem(back.searchParams.get('code') ?? '');
    expect(await redeemed.json()).toMatchObject({ scope: 'tasks:read' });
  });

  test('to administer is made in vain unless the operator allows it, and granted by administrators alone', async () => {
    const asked = { scope: 'tasks:read admin' };
    const on = await another({ settings: { allowAdmin: true } });
    const [ada, bob] = [await on.signIn(), await on.signIn()];
    await own().query(`update public.memberships set role = 'member' where user_id = $1`, [bob.user_id]);
    const url = (await newClient(on)).authorizationUrl(asked);

    const view = await consentOf(await own().signIn(), (await newClient(own())).authorizationUrl(asked));
    expect(view.scopes.map(({ scope }) => scope)).toEqual(['tasks:read']);
    expect((await ada.answer(await consentOf(ada, url))).status).toBe(303);
    const refused = await bob.answer(await consentOf(bob, url));
    expect(await refused.json()).toMatchObject({ status: 400, title: 'Your role is not enough' });
  });

  test('of a client on the device itself says so', async () => {
    const view = await consentOf(await own().signIn(), (await newClient(own())).authorizationUrl());

    expect(view).toMatchObject({ client: { identified: 'dcr' }, redirect: { shown: 'localhost:8976', local: true } });
  });
});

describe('a client that registers', () => {
  test('under a name that turns letters round does so without what turns them, and without what is too long', async () => {
    const registered = await registerClient(own().origin, { client_name: 'Claude\u202e\u200b\n (verified)' });
    const long = await registerClient(own().origin, { client_name: 'x'.repeat(101) });

    expect(registered).toMatchObject({ status: 201, client_name: 'Claude (verified)' });
    expect(long).toMatchObject({ status: 201, client_name: 'x'.repeat(100) });
  });

  test.for(['\u3164\u2800\u115f', '\u200b\u00a0\u3000', '\ufe0f\u034f\u180e', '\uffa0\u1160\ud800'])(
    'under a name that nobody sees is called what it is: %j',
    async (client_name) => {
      expect(await registerClient(own().origin, { client_name })).toMatchObject({ client_name: 'Unnamed client' });
    },
  );

  test.for(['https://a;sandbox;.evil.example/cb', 'https://b,c.evil.example/cb', "https://'self'.evil.example/cb"])(
    'at a host that a policy would take for more than one word is not: %s',
    async (uri) => {
      expect(await registerClient(own().origin, { redirect_uris: [uri] })).toMatchObject({
        status: 400,
        error: 'invalid_redirect_uri',
      });
    },
  );

  test('with a secret gets nothing without it', async () => {
    const method = { token_endpoint_auth_method: 'client_secret_post' };
    const { client_id, client_secret } = await registerClient(own().origin, method);
    const client = rawClient(own(), String(client_id));
    const back = await (await own().signIn()).allow(client.authorizationUrl());
    const redeem = async (bent: Record<string, string>) =>
      (await client.redeem(back.searchParams.get('code') ?? '', bent)).status;

    expect([await redeem({}), await redeem({ client_secret: 'cairn_cs_guessed' })]).toEqual([401, 401]);
    expect(await redeem({ client_secret: String(client_secret) })).toBe(200);
  });
});

describe('an account', () => {
  const person = (given: object) => ({ issuer: 'https://idp.test', subject: crypto.randomUUID(), ...given });
  const admit = async (identity: ReturnType<typeof person>, terms = {}) =>
    own().store.admitIdentity(identity, terms, {});

  test('is for those who were let in', async () => {
    expect(await admit(person({}))).toEqual({ refused: 'sign_up_closed' });
  });

  test('is of its issuer: the same subject at another one is somebody else', async () => {
    const known = person({});
    const admitted = await admit(known, { open: true });

    expect(await admit({ ...known, issuer: 'https://other.test' })).toEqual({ refused: 'sign_up_closed' });
    expect(await admit(known)).toEqual({ ...admitted, created: false });
  });

  test('is opened by an invitation once, in its time, and of an address by who has verified it', async () => {
    const { user_id } = await own().signIn();
    const email = `${crypto.randomUUID()}@acme.example`;
    const invite = async (given = {}) => {
      const { id, invitation } = await inviteMember(own().db, { user_id }, { role: 'member', days: 1, ...given });
      return { id, terms: { invitation_hash: hashSecret(invitation) } };
    };
    const [once, late, withdrawn, named] = [await invite(), await invite(), await invite(), await invite({ email })];
    await own().query(`update app.invitations set expires_at = now() where id = $1`, [late.id]);
    await own().db.call('revoke_invitation', { invitation: withdrawn.id }, { user_id });

    expect(await admit(person({}), once.terms)).toMatchObject({ created: true });
    expect(await admit(person({}), once.terms)).toEqual({ refused: 'invitation_used' });
    expect(await admit(person({}), late.terms)).toEqual({ refused: 'invitation_expired' });
    expect(await admit(person({}), withdrawn.terms)).toEqual({ refused: 'invitation_withdrawn' });
    expect(await admit(person({ email }), named.terms)).toEqual({ refused: 'invitation_of_another' });
    expect(await admit(person({ email, email_verified: true }), named.terms)).toMatchObject({ created: true });
  });

  test('is not opened by an address that nobody verified', () => {
    const terms = { emails: ['ada@acme.example'], domains: ['acme.example'], linkByEmail: false };
    const identity = person({ email: 'ada@acme.example' });

    expect(isAdmitted({ ...identity, email_verified: true }, terms)).toBe(true);
    expect(isAdmitted(identity, terms)).toBe(false);
    expect(isAdmitted({ ...identity, email: 'ada@notacme.example', email_verified: true }, terms)).toBe(false);
  });

  test('is joined by address only where both verified it and the operator wants that', async () => {
    const email = `${crypto.randomUUID()}@acme.example`;
    const known = await admit(person({ email, email_verified: true }), { open: true });

    expect(await admit(person({ email, email_verified: true }))).toHaveProperty('refused');
    expect(await admit(person({ email, email_verified: false }), { link_email: true })).toHaveProperty('refused');
    expect(await admit(person({ email, email_verified: true }), { link_email: true })).toEqual({
      ...known,
      created: false,
    });
  });
});
