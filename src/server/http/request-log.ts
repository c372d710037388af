import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../db/database.ts';
import type { Log } from '../../log.ts';
import type { Metrics } from './metrics.ts';
import { addressOf } from './origin-policy.ts';

/** A request and its answer, while they last. */
export type OpenRequest = {
  incoming: IncomingMessage;
  outgoing: ServerResponse;
  /** Names the request in every line. */
  log: Log;
  address: string;
  /** Further fields of the request's log line, once known. */
  said: { route: string; rpc?: string; tool?: string; user?: string };
  /** Stays open for later events: nobody waits for its end. */
  stream: boolean;
};

export const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics']);
// A call that does not wait is about to be answered, and reports the state of its token itself.
const ANSWER_MS_MAX = 500;
// The status that nginx logs for a client that left before its answer.
const CLIENT_LEFT = 499;

type Watch = { db: Database; tenant_id: string | undefined; everyMs: number };

/** Cuts an open answer once its caller is no longer admitted: at once if the database notifies, otherwise soon. */
export function cutWhenRefused(
  { outgoing }: OpenRequest,
  { db, tenant_id, everyMs }: Watch,
  letIn: () => Promise<unknown>,
): void {
  let asking = false;
  let again = false;
  async function ask(): Promise<void> {
    again = true;
    if (asking) return;
    asking = true;
    while (again && !outgoing.destroyed) {
      again = false;
      // A failure says nothing about rights: the database may be away.
      if (!((await letIn().catch(() => undefined)) instanceof Response)) continue;
      if (!outgoing.headersSent) await sleep(ANSWER_MS_MAX, undefined, { ref: false });
      if (!outgoing.writableEnded) outgoing.destroy();
    }
    asking = false;
  }
  const timer = setInterval(ask, everyMs);
  const listening = db.listen?.((tenant) => {
    if (tenant === null || tenant === tenant_id) void ask();
  }, 'access');
  outgoing.once('close', () => {
    clearInterval(timer);
    listening?.stop();
  });
}

export class RequestLog {
  readonly #open = new Set<OpenRequest>();
  readonly #log: Log;
  readonly #trustedProxies: number;

  constructor(log: Log, trustedProxies: number) {
    this.#log = log;
    this.#trustedProxies = trustedProxies;
  }

  begin(incoming: IncomingMessage, outgoing: ServerResponse, metrics: Metrics): OpenRequest {
    const id = requestId(incoming.headers['x-request-id']);
    const address = addressOf(incoming, this.#trustedProxies);
    const log = this.#log.child({ request_id: id });
    const openRequest: OpenRequest = { incoming, outgoing, log, address, said: { route: 'none' }, stream: false };
    const started = performance.now();
    this.#open.add(openRequest);
    outgoing.setHeader('x-request-id', id);
    outgoing.once('close', () => {
      this.#open.delete(openRequest);
      record(openRequest, performance.now() - started, metrics);
    });
    return openRequest;
  }

  count({ streams }: { streams: boolean }): number {
    return [...this.#open].filter(({ stream }) => stream === streams).length;
  }

  /** Waits until open requests have been answered, up to a limit; for streams only on demand. */
  async finish(msMax: number, { streams }: { streams: boolean }): Promise<void> {
    const signal = AbortSignal.timeout(msMax);
    const awaited = [...this.#open].filter(({ stream }) => streams || !stream);
    await Promise.allSettled(awaited.map(({ outgoing }) => once(outgoing, 'close', { signal })));
  }
}

function record({ incoming, outgoing, log, address, said }: OpenRequest, ms: number, metrics: Metrics): void {
  const status = outgoing.writableFinished ? outgoing.statusCode : CLIENT_LEFT;
  const method = incoming.method ?? '';
  metrics.request(said.route, { method, status, ms });
  // Without the query: careless clients put their token there.
  const path = incoming.url?.split('?', 1)[0]?.slice(0, 200);
  const line = { method, path, status, ms: Math.round(ms * 10) / 10, address, ...said };
  if (PROBES.has(said.route)) log.debug(line, 'request');
  else log.info(line, 'request');
}

/** Keeps a proxy's own id of the request, if valid. */
function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[\w.-]{8,64}$/.test(given) ? given : randomUUID();
}
