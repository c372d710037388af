import { exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { issuerKeys } from '../../src/auth/resource/issuer-keys.ts';
import { readConfig } from '../../src/config.ts';
import { proxyOf } from '../../src/proxy.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { startDocumentHost } from '../support/document-host.ts';

test('the keys of an external issuer are fetched through the proxy, and of a host in NO_PROXY past it', async () => {
  const host = await startDocumentHost('id.example');
  const proxy = await startConnectProxy();
  const issuer = 'https://id.example/realm';
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const keys = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }] };
  host.answer = (path) => ({
    body: JSON.stringify(path === '/keys' ? keys : { issuer, jwks_uri: `https://id.example/keys` }),
  });
  const token = await new SignJWT({}).setProtectedHeader({ alg: 'ES256', kid: 'k' }).setIssuer(issuer).sign(privateKey);
  const verify = (env: NodeJS.ProcessEnv) => {
    const config = readConfig({}, { HTTPS_PROXY: proxy.url, ...env });
    // Nobody here knows the name.
    const fetchParts = host.fetchParts({ proxy: proxyOf(config), isPublic: () => false });
    return jwtVerify(token, issuerKeys({ issuer, allowPrivate: false, fetchParts }), { issuer });
  };

  expect((await verify({})).payload.iss).toBe(issuer);
  expect(proxy.asked).toEqual(Array(2).fill(`id.example Basic ${Buffer.from('ada:secret').toString('base64')}`));
  await expect(verify({ NO_PROXY: 'id.example' })).rejects.toMatchObject({ code: 'unavailable' });
  expect(proxy.asked).toHaveLength(2);

  proxy.close();
  host.close();
});
