import { randomBytes } from 'node:crypto';
import { createRequestStateCodec, type McpServer, type McpServerOptions } from '@modelcontextprotocol/server';
import { addContent } from './content.ts';
import { addInputs } from './inputs.ts';
import { addPromptsAndResources } from './prompts.ts';

/** The toolset of this name: what the official conformance suite calls, beside the real tools and on the same paths. */
export const CONFORMANCE = 'conformance';

export type Fixtures = { options: McpServerOptions; add(server: McpServer): void };

export function createFixtures(): Fixtures {
  const codec = createRequestStateCodec<string>({ key: randomBytes(32) });
  return {
    options: { requestState: { verify: codec.verify } },
    add(server) {
      server.server.registerCapabilities({ logging: {} });
      addContent(server);
      addInputs(server, codec);
      addPromptsAndResources(server);
    },
  };
}
