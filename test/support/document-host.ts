import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';
import { createPublicFetch, type PublicFetch, type PublicFetchParts } from '../../src/auth/public-fetch.ts';

type Answer = { status?: number; headers?: Record<string, string>; body?: string; stays?: boolean };

/** A web server with TLS for one name, which answers what it is told to. */
export type DocumentHost = {
  name: string;
  asked: number;
  answer: Answer | ((path: string) => Answer);
  /** The way to it, as to a host of the public internet. */
  fetchParts(parts?: PublicFetchParts): PublicFetchParts;
  /** Returns the server's fetch, except that this machine counts as public. */
  fetching(parts?: PublicFetchParts): PublicFetch;
  close(): void;
};

export async function startDocumentHost(name: string): Promise<DocumentHost> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: name }], {
    keySize: 2048,
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: name }] },
    ],
  });
  const server = createServer({ key, cert });
  await listening(server);
  const { port } = server.address() as AddressInfo;
  const host: DocumentHost = {
    name,
    asked: 0,
    answer: {},
    fetchParts: (parts) => ({
      port,
      ca: cert,
      isPublic: () => true,
      resolve: async () => [{ address: '127.0.0.1', family: 4 }],
      ...parts,
    }),
    fetching: (parts) => createPublicFetch(host.fetchParts(parts)),
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
  server.on('request', ({ url = '' }, response) => {
    host.asked += 1;
    const {
      status = 200,
      headers = {},
      body = '',
      stays,
    } = typeof host.answer === 'function' ? host.answer(url) : host.answer;
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    if (stays) response.flushHeaders();
    else response.end(body);
  });
  return host;
}

function listening(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
}
