import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';

/** A proxy for TLS: it connects to the port that is asked for, on this machine, whatever the host. */
export type ConnectProxy = {
  /** Includes a name and a password. */
  url: string;
  /** The requests it got: `host authorization`. */
  asked: string[];
  close(): void;
};

export async function startConnectProxy(): Promise<ConnectProxy> {
  const asked: string[] = [];
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.on('connect', ({ url: target = '', headers }, socket) => {
    asked.push(`${target.split(':')[0]} ${headers['proxy-authorization']}`);
    const on = connect(Number(target.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      on.pipe(socket).pipe(on);
    });
    socket.on('error', () => on.destroy());
  });
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://ada:secret@127.0.0.1:${(server.address() as AddressInfo).port}`, asked, close };
}
