// A client of the 2026-07-28 protocol over HTTP, as plain as can be, so that little of its own is measured.
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1.0.0' },
};

export type Address = { port: number; token?: string | undefined };
export type Call = Address & { tool: string; args: object };
type Asked = { method: string; name?: string; params: object; agent: Agent | undefined };
/** `heard` and `closed` settle when the server tells of a change, and when it is over. */
type Stream = { heard: Promise<void>; closed: Promise<void>; isOpen: () => boolean; leave: () => void };

/** Calls a tool; a refusal is an error, for the numbers would mean nothing. */
export function call({ tool, args, ...server }: Call, agent?: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const params = { name: tool, arguments: args, _meta: META };
    const sent = send(server, { method: 'tools/call', name: tool, params, agent }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => {
        if (response.statusCode === 200 && !text.includes('"isError":true')) resolve(text);
        else reject(new Error(`${tool}: ${response.statusCode} ${text}`));
      });
    });
    sent.on('error', reject);
  });
}

/** Calls without a pause over so many connections. */
export async function load(
  next: () => Call,
  { agent, connections, ms }: { agent: Agent; connections: number; ms: number },
): Promise<{ calls: number; ms: number }> {
  const started = performance.now();
  let calls = 0;
  async function work() {
    while (performance.now() - started < ms) {
      await call(next(), agent);
      calls += 1;
    }
  }
  await Promise.all(Array.from({ length: connections }, work));
  return { calls, ms: performance.now() - started };
}

/** A stream that follows a resource, once the server has said that it does. */
export function listen(server: Address, uri: string, agent: Agent): Promise<Stream> {
  const params = { notifications: { resourceSubscriptions: [uri] }, _meta: META };
  return new Promise((resolve, reject) => {
    const sent = send(server, { method: 'subscriptions/listen', params, agent }, (response) => {
      if (response.statusCode !== 200) return reject(new Error(`a stream was answered ${response.statusCode}`));
      let text = '';
      let open = true;
      const closed = new Promise<void>((done) => {
        response.on('close', () => {
          open = false;
          done();
        });
      });
      const heard = new Promise<void>((done) => {
        response.on('data', (chunk) => {
          text += chunk;
          if (text.includes('acknowledged')) {
            resolve({ heard, closed, isOpen: () => open, leave: () => void sent.destroy() });
          }
          if (text.includes('resources/updated')) done();
        });
      });
      response.on('error', () => {});
    });
    sent.on('error', reject);
  });
}

function send(
  { port, token }: Address,
  { method, name, params, agent }: Asked,
  answered: (response: IncomingMessage) => void,
): ClientRequest {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    ...(name && { 'mcp-name': name }),
    ...(token && { authorization: `Bearer ${token}` }),
  };
  const sent = request({ port, host: '127.0.0.1', path: '/mcp', method: 'POST', headers, agent }, answered);
  sent.end(body);
  return sent;
}

export function agentOf(connections: number): Agent {
  return new Agent({ keepAlive: true, maxSockets: connections });
}
