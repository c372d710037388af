import { type IncomingHttpHeaders, request } from 'node:http';

export type Asked = { method?: string; headers?: Record<string, string>; body?: string | Buffer; signal?: AbortSignal };
type Reply = { status: number; headers: IncomingHttpHeaders; text: string };

/** A request as it is, with headers that `fetch` would not send. */
export function sendRaw(url: URL, { method = 'GET', headers = {}, body, signal }: Asked): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false, ...(signal && { signal }) }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

export const ACCEPT = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
};

/** A call of the 2026-07-28 protocol, as its client writes it. */
export function callOf(name: string, args: object = {}): Required<Omit<Asked, 'signal'>> {
  return {
    method: 'POST',
    headers: { ...ACCEPT, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': name },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name, arguments: args, _meta: META },
    }),
  };
}

export const INITIALIZE: Asked = {
  method: 'POST',
  headers: ACCEPT,
  body: JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
  }),
};
