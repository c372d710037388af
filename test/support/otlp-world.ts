import { type Body, span } from './otlp-bodies.ts';
import type { RunnerServer } from './runner-server.ts';
import { serveRunners } from './runner-server.ts';
import { test as base } from './world.ts';

type Given = { token?: string | undefined; signal?: string; headers?: Record<string, string> };
type Report = (body: Body | object, given?: Given) => Promise<Response>;

/** `report` sends with a token of `ada` that may do nothing else. */
export const test = base.extend<{ server: RunnerServer; token: string; report: Report }>({
  server: async ({ as }, use) => {
    const server = await serveRunners(as('ada'));
    await use(server);
    await server.close();
  },
  token: async ({ as, server }, use) => {
    await use((await server.tokenOf(as('ada'), { scope: 'otel:write' })).token);
  },
  report: async ({ server, token }, use) => {
    await use((body, given) => post(server, body, { token, ...given }));
  },
});

/** Reports to a server as a program does, with any body. */
export function post(
  { url }: Pick<RunnerServer, 'url'>,
  body: Body | object,
  { token, signal = 'traces', headers = {} }: Given = {},
): Promise<Response> {
  return fetch(new URL(`/v1/${signal}`, url), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
  });
}

export const attribute = (key: string, value: string | number) => ({
  key,
  value: typeof value === 'number' ? { intValue: value } : { stringValue: value },
});

/** A request to a model, by the conventions. */
export const chat = (spanId: string, more: object = {}, attributes: Record<string, string | number> = {}) => {
  const at = `${Date.now()}000000`;
  const given = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': 'claude-sonnet-4-5',
    'gen_ai.usage.input_tokens': 7,
    ...attributes,
  };
  return span({
    spanId: spanId.padStart(16, '0'),
    startTimeUnixNano: at,
    endTimeUnixNano: at,
    attributes: Object.entries(given).map(([key, value]) => attribute(key, value)),
    ...more,
  });
};
