import type { McpServer, McpServerOptions } from '@modelcontextprotocol/server';
import { DomainError } from '../errors.ts';

/** The toolset of this name: calls of the official conformance suite, beside the real tools and on the same paths. */
export const CONFORMANCE = 'conformance';

export type Fixtures = { options: McpServerOptions; add(server: McpServer): void };

/** Loads the fixtures on demand: users have no need of them, and the package comes without. */
export async function loadFixtures(): Promise<Fixtures> {
  try {
    const { createFixtures } = await import('./conformance/fixtures.ts');
    return createFixtures();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
    throw new DomainError('invalid_input', 'The toolset conformance is not part of the package.', {
      hint: 'Take it out of --toolsets. `npm run conformance` in a clone of the repository runs the suite.',
      cause,
    });
  }
}
