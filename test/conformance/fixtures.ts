import { randomBytes } from 'node:crypto';
import { createRequestStateCodec } from '@modelcontextprotocol/server';
import type { Fixtures } from '../../src/server/mcp/server-options.ts';
import { addContent } from './content.ts';
import { addInputs } from './inputs.ts';
import { addPromptsAndResources } from './prompts.ts';

/** Creates the fixtures that the official suite calls. */
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
