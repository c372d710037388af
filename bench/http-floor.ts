// The bare SDK over HTTP, as its documentation mounts it.
import { createServer } from 'node:http';
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler } from '@modelcontextprotocol/server';
import { createEcho } from './echo.ts';

const handler = toNodeHandler(createMcpHandler(createEcho));
const server = createServer((request, response) => void handler(request as NodeIncomingMessageLike, response));
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.stdout.write(`port ${address.port}. Stop\n`);
});
