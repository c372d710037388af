import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { domainErrorFrom, ERROR_CODES } from '../errors.ts';
import { readIncoming } from '../incoming-body.ts';
import { acceptance, BODY_BYTES_MAX, SIGNALS, takeExport } from './export-request.ts';
import type { Reported } from './otlp.ts';

const LOOPBACK = '127.0.0.1';
const RETRY_SECONDS = '5';

/** Takes what was reported, but for so much of it that can be nothing; undefined when there is no room for it now. */
export type Take = (reported: readonly Reported[]) => { rejected: number } | undefined;

/** Takes reports on loopback. Each who reports has a path of its own, which nobody else knows. */
export class Receiver {
  readonly #server: Server;
  readonly #takes = new Map<string, Take>();

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
    // A reporter that does not get on with its request keeps nothing else from being served.
    Object.assign(this.#server, { requestTimeout: 30_000, headersTimeout: 10_000, maxConnections: 200 });
    this.#server.unref();
  }

  static listen(): Promise<Receiver> {
    const receiver = new Receiver();
    return new Promise((resolve, reject) => {
      receiver.#server.once('error', reject).listen(0, LOOPBACK, () => {
        receiver.#server.off('error', reject).on('error', () => {});
        resolve(receiver);
      });
    });
  }

  /** A place to report to: the base of the paths of OTLP. */
  open(take: Take): { url: string; close(): void } {
    const secret = randomBytes(24).toString('base64url');
    this.#takes.set(secret, take);
    const address = this.#server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    return { url: `http://${LOOPBACK}:${port}/${secret}`, close: () => this.#takes.delete(secret) };
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {});
    try {
      const [, secret = '', ...path] = (request.url ?? '').split('/');
      const take = this.#takes.get(secret);
      const signal = SIGNALS.find((name) => path.join('/') === `v1/${name}`);
      if (take === undefined || signal === undefined || request.method !== 'POST') {
        response.writeHead(404).end();
        request.resume();
        return;
      }
      const { 'content-type': type, 'content-encoding': encoding } = request.headers;
      const body = await readIncoming(request, BODY_BYTES_MAX);
      const { reported, rejected } = await takeExport({ signal, type, encoding, body });
      const taken = take(reported);
      if (taken === undefined) {
        response.writeHead(429, { 'retry-after': RETRY_SECONDS }).end();
        return;
      }
      const answer = acceptance({ signal, type }, rejected + taken.rejected);
      response.writeHead(200, { 'content-type': answer.type }).end(answer.body);
    } catch (error) {
      const { code, message } = domainErrorFrom(error);
      if (!response.headersSent) response.writeHead(ERROR_CODES[code].status, { 'content-type': 'text/plain' });
      response.end(message);
    }
  }
}
