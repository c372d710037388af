import { describe, expect, test } from 'vitest';
import { useAuthWorld } from '../support/auth-world.ts';

const { own } = useAuthWorld();

const ask = (method: string, path: string) => fetch(`${own().origin}${path}`, { method, redirect: 'manual' });

describe('an endpoint', () => {
  test.for([
    ['HEAD', '/.well-known/oauth-protected-resource/mcp', 'GET, OPTIONS'],
    ['POST', '/.well-known/oauth-authorization-server', 'GET, OPTIONS'],
    ['GET', '/oauth/register', 'POST, OPTIONS'],
    ['HEAD', '/oauth/token', 'POST, OPTIONS'],
    ['PUT', '/oauth/revoke', 'POST, OPTIONS'],
    ['HEAD', '/oauth/authorize', 'GET'],
    ['OPTIONS', '/oauth/authorize', 'GET'],
    ['HEAD', '/oauth/consent', 'GET, POST'],
  ] as const)('answers %s %s with what it is asked by', async ([method, path, allow]) => {
    const { status, headers } = await ask(method, path);

    expect([status, headers.get('allow')]).toEqual([405, allow]);
  });

  test.for(['/oauth/%74oken', '//oauth/token', '/oauth/token/', '/OAuth/token'])(
    'goes by one path, not %s',
    async (path) => {
      expect((await ask('POST', path)).status).toBe(404);
    },
  );

  test('may be asked, and its refusal read, by a program in a browser', async () => {
    const preflight = await ask('OPTIONS', '/oauth/token');
    const refused = await ask('POST', '/oauth/token');

    expect([preflight.status, refused.status]).toEqual([204, 400]);
    expect(preflight.headers.get('access-control-allow-headers')).toContain('mcp-protocol-version');
    for (const { headers } of [preflight, refused]) expect(headers.get('access-control-allow-origin')).toBe('*');
    expect(await refused.json()).toMatchObject({ error: 'invalid_request' });
  });

  test('that a person opens lets no page of another origin read it', async () => {
    const { headers } = await ask('GET', '/oauth/authorize?client_id=x');

    expect(headers.get('access-control-allow-origin')).toBeNull();
  });
});
