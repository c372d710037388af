import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** An answer that is cut in the middle, one that is lost after the server gave it, and a server that says nothing. */
type Fault = 'cut' | 'lose' | 'silence';

/** A way to an HTTP server that can be broken, as a network breaks. */
export type HttpWay = {
  url: string;
  /** Breaks the next requests of that method; by default all until the next `heal`. */
  breakNext(fault: Fault, options: { method: string; times?: number }): void;
  heal(): void;
  /** Counts the requests. */
  requests(): number;
  close(): Promise<void>;
};

export async function openHttpWay(target: string): Promise<HttpWay> {
  let broken: { fault: Fault; method: string; times: number } | null = null;
  let requests = 0;

  function faultOf({ method }: IncomingMessage): Fault | null {
    if (broken === null || broken.method !== method || broken.times === 0) return null;
    broken.times -= 1;
    return broken.fault;
  }

  async function carry(near: IncomingMessage, answer: ServerResponse): Promise<void> {
    requests += 1;
    const fault = faultOf(near);
    if (fault === 'silence') return;
    // The host stays as it was signed.
    const { method, headers, url } = near;
    const far = request(new URL(url ?? '/', target), { method, headers }).end(await buffer(near));
    const [response] = (await once(far, 'response')) as [IncomingMessage];
    const body = await buffer(response);
    if (fault === 'lose') return void near.socket.destroy();
    const { connection: _, ...kept } = response.headers;
    answer.writeHead(response.statusCode ?? 500, kept);
    if (fault !== 'cut') return void answer.end(body);
    answer.write(body.subarray(0, body.length / 2), () => near.socket.destroy());
  }

  const server = createServer((near, answer) => void carry(near, answer).catch(() => near.socket.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    breakNext(fault, { method, times = Number.POSITIVE_INFINITY }) {
      broken = { fault, method, times };
    },
    heal() {
      broken = null;
    },
    requests: () => requests,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
