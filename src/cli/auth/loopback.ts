import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DomainError } from '../../errors.ts';

const WAIT_MS_MAX = 300_000;

/** Waits on a loopback address until the browser returns from signing in. */
export class Receiver {
  /** The address to send the browser back to. */
  readonly url: string;
  /**
   * Resolves when the browser comes with a code. Raises unauthenticated when it comes with an error, unavailable after
   * a timeout.
   */
  readonly code: Promise<string>;
  readonly #server: Server;

  private constructor(server: Server) {
    // A secret path: another page cannot end the waiting.
    const path = `/${randomBytes(16).toString('hex')}`;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
    this.code = printResult(server, path, AbortSignal.timeout(WAIT_MS_MAX));
    // It is awaited only after the browser was told where to go.
    this.code.catch(() => {});
    this.#server = server;
  }

  static async listen(): Promise<Receiver> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return new Receiver(server);
  }

  close(): void {
    this.#server.close();
  }
}

function printResult(server: Server, path: string, limit: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    limit.addEventListener('abort', () =>
      reject(new DomainError('unavailable', 'Nobody signed in within five minutes.')),
    );
    server.on('request', (request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
      const code = searchParams.get('code');
      const refusal = searchParams.get('error_description') ?? searchParams.get('error');
      if (pathname !== path || (code === null && refusal === null)) return response.writeHead(404).end();
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
      response.end(
        code === null ? 'You are not signed in. The terminal says why.' : 'You are signed in. You may close this page.',
      );
      if (code !== null) return resolve(code);
      reject(
        new DomainError('unauthenticated', `The sign-in was refused: ${refusal}.`, {
          hint: 'Run `cairn login` again.',
        }),
      );
    });
  });
}
