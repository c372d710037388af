import * as modern from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/client';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client as OlderClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as OlderTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  type AuthWorld,
  connect,
  REDIRECT,
  rawClient,
  registerClient,
  startAuthWorld,
  type TestBrowser,
} from '../support/auth-world.ts';
import { ACCEPT, callOf, INITIALIZE, sendRaw } from '../support/raw-http.ts';

let world: AuthWorld;

beforeAll(async () => {
  world = await startAuthWorld();
});
afterAll(() => world.close());

/** Implements the host's part of an SDK's client: here the person accepts everything. */
function provider(browser: TestBrowser) {
  const kept: Record<string, unknown> = {};
  let back: URL | undefined;
  return {
    redirectUrl: REDIRECT,
    clientMetadata: { client_name: 'SDK', redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' },
    clientInformation: () => kept['client'] as never,
    saveClientInformation: (client: unknown) => void Object.assign(kept, { client }),
    tokens: () => kept['tokens'] as never,
    saveTokens: (tokens: unknown) => void Object.assign(kept, { tokens }),
    saveCodeVerifier: (verifier: string) => void Object.assign(kept, { verifier }),
    codeVerifier: () => String(kept['verifier']),
    saveDiscoveryState: (discovery: unknown) => void Object.assign(kept, { discovery }),
    discoveryState: () => kept['discovery'] as never,
    async redirectToAuthorization(url: URL) {
      back = await browser.allow(url);
    },
    back: () => back as URL,
    kept,
  };
}

describe('a real client connects', () => {
  test('the SDK of version 1, and refreshes when its token is over', async () => {
    const host = provider(await world.signIn());
    const client = new OlderClient({ name: 'older', version: '1' });
    const first = new OlderTransport(world.mcp, { authProvider: host });
    await expect(client.connect(first as never)).rejects.toThrow(UnauthorizedError);

    await first.finishAuth(host.back().searchParams.get('code') ?? '');
    await client.connect(new OlderTransport(world.mcp, { authProvider: host }) as never);

    expect((await client.listTools()).tools.length).toBeGreaterThan(10);
    const before = (host.kept['tokens'] as { access_token: string }).access_token;
    Object.assign(host.kept['tokens'] as object, { access_token: `${before.slice(0, -4)}AAAA` });
    expect(await client.callTool({ name: 'list_projects', arguments: {} })).toMatchObject({
      content: [{ type: 'text' }],
    });
    expect((host.kept['tokens'] as { access_token: string }).access_token).not.toBe(before);
    await client.close();
  });

  test('the SDK of version 2, which checks the issuer of the answer', async () => {
    const host = provider(await world.signIn());
    const client = new Client({ name: 'newer', version: '1' });
    const first = new modern.StreamableHTTPClientTransport(world.mcp, { authProvider: host as never });
    await expect(client.connect(first)).rejects.toThrow();

    await first.finishAuth(host.back().searchParams);
    await client.connect(new modern.StreamableHTTPClientTransport(world.mcp, { authProvider: host as never }));

    expect(await client.callTool({ name: 'list_projects', arguments: {} })).toMatchObject({
      content: [{ type: 'text' }],
    });
    await client.close();
  });

  test('oauth4webapi, which takes the standards by the letter', async () => {
    const http = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(world.origin);
    const resource = await oauth.processResourceDiscoveryResponse(
      world.mcp,
      await oauth.resourceDiscoveryRequest(world.mcp, http),
    );
    expect(resource.authorization_servers).toEqual([world.origin]);
    const as = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...http }),
    );
    const registered = await oauth.processDynamicClientRegistrationResponse(
      await oauth.dynamicClientRegistrationRequest(
        as,
        { redirect_uris: [REDIRECT], token_endpoint_auth_method: 'client_secret_basic' },
        http,
      ),
    );
    const client = { client_id: registered.client_id };
    const proof = oauth.ClientSecretBasic(String(registered.client_secret));
    const verifier = oauth.generateRandomCodeVerifier();
    const url = new URL(as.authorization_endpoint ?? '');
    url.search = new URLSearchParams({
      client_id: client.client_id,
      redirect_uri: REDIRECT,
      response_type: 'code',
      state: 'xyz',
      resource: world.mcp.href,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }).toString();
    const browser = await world.signIn();

    const params = oauth.validateAuthResponse(as, client, await browser.allow(url), 'xyz');
    const tokens = await oauth.processAuthorizationCodeResponse(
      as,
      client,
      await oauth.authorizationCodeGrantRequest(as, client, proof, params, REDIRECT, verifier, http),
    );
    const again = await oauth.processRefreshTokenResponse(
      as,
      client,
      await oauth.refreshTokenGrantRequest(as, client, proof, tokens.refresh_token ?? '', http),
    );
    await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, proof, again.access_token, http));

    const call = callOf('list_projects');
    const reply = await sendRaw(world.mcp, {
      ...call,
      headers: { ...call.headers, authorization: `Bearer ${again.access_token}` },
    });
    expect(reply.status).toBe(401);
    expect(reply.headers['www-authenticate']).toContain('error="invalid_token"');
  });
});

async function call(
  token: string | undefined,
  tool = 'list_projects',
  origin = world.mcp,
): Promise<Awaited<ReturnType<typeof sendRaw>>> {
  const asked = callOf(tool);
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return sendRaw(origin, { ...asked, headers: { ...asked.headers, ...authorization } });
}

describe('the resource server', () => {
  test('challenges whoever sends no token, without an error, and says where to ask', async () => {
    const reply = await call(undefined);

    expect(reply.status).toBe(401);
    expect(reply.headers['www-authenticate']).toBe(
      `Bearer scope="projects:read projects:write tasks:read tasks:write agents:read", resource_metadata="${world.origin}/.well-known/oauth-protected-resource/mcp"`,
    );
    for (const path of ['', '/mcp']) {
      const metadata = await fetch(`${world.origin}/.well-known/oauth-protected-resource${path}`);
      expect(await metadata.json()).toMatchObject({ resource: world.mcp.href, authorization_servers: [world.origin] });
      const server = await fetch(`${world.origin}/.well-known/oauth-authorization-server${path}`);
      expect(await server.json()).toMatchObject({ issuer: world.origin, code_challenge_methods_supported: ['S256'] });
    }
  });

  test('takes a token of the header alone', async () => {
    const browser = await world.signIn();
    const { tokens } = await connect(world, browser);

    expect((await call(tokens.access_token)).status).toBe(200);
    const asked = callOf('list_projects');
    const query = new URL(`${world.mcp.href}?access_token=${tokens.access_token}`);
    expect((await sendRaw(query, asked)).status).toBe(401);
    const cookie = `access_token=${tokens.access_token}; sid=${browser.jar.get('sid')}`;
    expect((await sendRaw(world.mcp, { ...asked, headers: { ...asked.headers, cookie } })).status).toBe(401);
    expect((await call(tokens.refresh_token)).status).toBe(401);
  });

  test('refuses what the token may not do with one challenge that names all it needs', async () => {
    const { tokens } = await connect(world, await world.signIn(), { scope: ['projects:read', 'tasks:read'] });

    const reply = await call(tokens.access_token, 'create_project');

    expect(reply.status).toBe(403);
    expect(reply.headers['www-authenticate']).toBe(
      `Bearer error="insufficient_scope", error_description="This needs projects:write.", scope="projects:write", resource_metadata="${world.origin}/.well-known/oauth-protected-resource/mcp"`,
    );
    expect(tokens.scope).toBe('projects:read tasks:read');
  });

  test('a token that was revoked fails at the very next request, on every replica', async () => {
    const replica = await startAuthWorld({ settings: { issuer: world.origin } });
    try {
      const browser = await world.signIn();
      const { tokens } = await connect(world, browser);
      expect((await call(tokens.access_token, 'list_projects', replica.mcp)).status).toBe(200);

      await world.db.call('revoke_access', { chosen: { everything: true } }, { user_id: browser.user_id });

      expect((await call(tokens.access_token, 'list_projects', replica.mcp)).status).toBe(401);
      expect((await call(tokens.access_token)).status).toBe(401);
    } finally {
      await replica.close();
    }
  });
});

describe('what a token has open', () => {
  test('is cut at once when it is revoked at another replica', async () => {
    // One that would find out by itself only after an hour.
    const replica = await startAuthWorld({ settings: { issuer: world.origin }, limits: { recheckMs: 3_600_000 } });
    try {
      const browser = await world.signIn();
      const { tokens } = await connect(world, browser);
      const authorized = { authorization: `Bearer ${tokens.access_token}` };
      const opened = await sendRaw(replica.mcp, { ...INITIALIZE, headers: { ...ACCEPT, ...authorized } });
      const session = { ...ACCEPT, ...authorized, 'mcp-session-id': String(opened.headers['mcp-session-id']) };
      const stream = await fetch(replica.mcp, { headers: session });
      const ended = expect(stream.text()).rejects.toThrow('terminated');
      const waiting = callOf('wait_for_events', { timeout_seconds: 50 });
      const called = { ...waiting, headers: { ...waiting.headers, ...authorized } };
      const cut = sendRaw(replica.mcp, called).then(
        ({ status }) => status,
        () => 'cut',
      );
      const { mcp } = replica;
      const open = async () => (await sendRaw(new URL('/metrics', mcp), {})).text;
      // Beside the request that asks.
      await vi.waitUntil(async () => (await open()).includes('cairn_requests_in_flight 2\n'), 20_000);

      await world.db.call('revoke_access', { chosen: { everything: true } }, { user_id: browser.user_id });

      await ended;
      // Unless it had yet to ask the database.
      expect(['cut', 401]).toContain(await cut);
    } finally {
      await replica.close();
    }
  });
});

describe('client shapes', () => {
  test('one redirect that is not acceptable does not spoil the others (Cursor)', async () => {
    const uris = [
      'cursor://anysphere.cursor-mcp/oauth/callback',
      'https://www.cursor.com/agents/mcp/oauth/callback',
      'http://localhost:8787/callback',
    ];
    const registered = await registerClient(world.origin, {
      redirect_uris: [...uris, 'javascript:alert(1)', 'myapp://x'],
    });

    expect(registered).toMatchObject({ status: 201, redirect_uris: uris });
    const browser = await world.signIn();
    for (const uri of uris) {
      const back = await browser.allow(rawClient(world, String(registered['client_id']), uri).authorizationUrl());
      expect(back.href.startsWith(`${uri}?code=cairn_ac_`)).toBe(true);
    }
  });

  test.for([
    ['Claude Code', 'http://localhost/callback', 'http://localhost:53111/callback'],
    ['Codex', 'http://127.0.0.1/callback/abc', 'http://127.0.0.1:40123/callback/abc'],
    ['VS Code', 'http://127.0.0.1:33418/', 'http://127.0.0.1:51234/'],
    ['claude.ai', 'https://claude.ai/api/mcp/auth_callback', 'https://claude.ai/api/mcp/auth_callback'],
    [
      'ChatGPT',
      'https://chatgpt.com/connector_platform_oauth_redirect',
      'https://chatgpt.com/connector_platform_oauth_redirect',
    ],
    ['Inspector', 'http://localhost:6274/oauth/callback', 'http://localhost:6274/oauth/callback'],
    ['mcp-remote', 'http://localhost:3335/oauth/callback', 'http://localhost:49150/oauth/callback'],
    ['Gemini CLI', 'http://localhost:7777/oauth/callback', 'http://localhost:41234/oauth/callback'],
  ])('%s: registered as it registers, with the address that it then uses', async ([, registered, used]) => {
    const { client_id } = await registerClient(world.origin, {
      redirect_uris: [registered],
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      scope: 'projects:read offline_access unknown',
    });
    const client = rawClient(world, String(client_id), used);
    const back = await (await world.signIn()).allow(
      client.authorizationUrl({
        scope: 'projects:read offline_access',
        resource: `${world.origin}/`,
        prompt: 'consent',
      }),
    );

    const response = await client.redeem(back.searchParams.get('code') ?? '', { resource: `${world.origin}/` });

    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toMatchObject({
      token_type: 'Bearer',
      scope: 'projects:read',
      refresh_token: expect.any(String),
    });
  });
});
