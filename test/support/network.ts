import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type pg from 'pg';

/**
 * The fault of a client's next message. A network that breaks `before` a command loses it, `during` it loses the way
 * back, and `after` it the answer. One that swallows sends nothing any more, in either direction.
 */
export type Fault = 'before' | 'during' | 'after' | 'swallow';

/** A way to a PostgreSQL server over TCP that can be broken, as a network breaks. */
export type Network = {
  connection: pg.ClientConfig;
  /** Breaks the connection of whoever sends next, once; `swallow` stays until the next `heal`. */
  breakNext(fault: Fault): void;
  /** Refuses whoever comes, and cuts who is there. */
  goDown(): void;
  /** Holds back whatever is sent, in both directions. */
  slowDown(ms: number): void;
  /** Holds back the end of each answer: what the server says when it is done with a command. */
  holdEnds(ms: number): void;
  heal(): void;
  close(): Promise<void>;
};

/** The server says with this message that it is done with a command. */
const READY_FOR_QUERY = 0x5a;
const READY_BYTES = 6;

export async function openNetwork(server: pg.ClientConfig): Promise<Network> {
  const sockets = new Set<Socket>();
  let fault: Fault | null = null;
  let down = false;
  let delay = 0;
  let endDelay = 0;

  const listener = createServer({ allowHalfOpen: false }, (near) => {
    if (down) return void near.destroy();
    const far = connect(addressOf(server));
    let swallowing = false;
    let losingAnswer = false;
    const cut = () => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', cut).on('close', () => {
        sockets.delete(socket);
        if (!swallowing) cut();
      });
    }
    const carry = (to: Socket, chunk: Buffer) =>
      delay === 0 ? to.write(chunk) : setTimeout(() => to.destroyed || to.write(chunk), delay);

    near.on('data', (chunk: Buffer) => {
      const now = swallowing ? 'swallow' : fault;
      if (now !== 'swallow') fault = null;
      swallowing ||= now === 'swallow';
      if (swallowing) return;
      if (now === 'before') return cut();
      losingAnswer ||= now === 'after';
      carry(far, chunk);
      // The server finds out when it answers: what it was asked to do, it does.
      if (now === 'during') near.destroy();
    });
    far.on('data', (chunk: Buffer) => {
      if (swallowing) return;
      const ends = chunk.at(-READY_BYTES) === READY_FOR_QUERY;
      if (losingAnswer) return ends ? cut() : undefined;
      if (endDelay === 0 || !ends) return carry(near, chunk);
      carry(near, chunk.subarray(0, -READY_BYTES));
      setTimeout(() => near.destroyed || near.write(chunk.subarray(-READY_BYTES)), endDelay);
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('The network has no port.');
  const cutAll = () => {
    for (const socket of sockets) socket.destroy();
  };

  return {
    connection: { ...server, host: '127.0.0.1', port: address.port, ssl: false },
    breakNext(next) {
      fault = next;
    },
    goDown() {
      down = true;
      cutAll();
    },
    slowDown(ms) {
      delay = ms;
    },
    holdEnds(ms) {
      endDelay = ms;
    },
    heal() {
      if (fault === 'swallow') cutAll();
      fault = null;
      down = false;
      delay = 0;
      endDelay = 0;
    },
    async close() {
      cutAll();
      listener.close();
      await once(listener, 'close');
    },
  };
}

function addressOf({ host = '127.0.0.1', port = 5432 }: pg.ClientConfig) {
  return host.startsWith('/') ? { path: join(host, `.s.PGSQL.${port}`) } : { host, port };
}
