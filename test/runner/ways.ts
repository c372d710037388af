import { claudeDriver } from '../../src/runner/drivers/claude.ts';
import { httpPort } from '../../src/runner/port-http.ts';
import { type RunnerServer, serveRunners } from '../support/runner-server.ts';
import { test as base } from '../support/world.ts';
import { drive as driveOver, GRACE_MS, program, stopAll } from './drive.ts';

export const claude = () => claudeDriver({ program: program('claude'), graceMs: GRACE_MS });

type Given = Parameters<typeof driveOver>[1];

/** Tests of the agent `heron`, whose runner goes the one way or the other. */
export const test = base.extend<{
  way: 'the database' | 'HTTP';
  server: RunnerServer;
  drive: (given: Given) => ReturnType<typeof driveOver>;
}>({
  way: 'the database',
  server: async ({ as }, use) => {
    const server = await serveRunners(as('ada'));
    await use(server);
    await server.close();
  },
  drive: async ({ as, way, server }, use) => {
    const ctx = as('heron');
    await use(async (given) => {
      if (way === 'the database') return driveOver(ctx, given);
      const { token } = await server.tokenOf(ctx, { agent: 'heron' });
      return driveOver(ctx, { ...given, over: httpPort({ url: server.url, token }, 'heron') });
    });
    await stopAll();
  },
});
