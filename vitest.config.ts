import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { AGENT_VARIABLES } from './src/cli/agents/shell-agent.ts';

const DATABASE = ['test/{contract,core,schema,tools}/**/*.test.ts'];
// These replace modules or look at memory.
const ALONE = ['test/cli/{atomic-write,formats}.test.ts', 'test/remote/auth-secrets.test.ts'];

// What a person has set up for themselves, such as the clients that `cairn doctor` looks at, changes no test.
const HOME = mkdtempSync(join(tmpdir(), 'cairn-home-'));
process.on('exit', () => rmSync(HOME, { recursive: true, force: true }));
const HOMES = { HOME, USERPROFILE: HOME };
// But npm finds packages where the person has them.
const NPM = {
  npm_config_cache: process.env['npm_config_cache'] ?? join(homedir(), '.npm'),
  npm_config_userconfig: process.env['npm_config_userconfig'] ?? join(homedir(), '.npmrc'),
};

export default defineConfig({
  test: {
    globalSetup: 'test/support/server.ts',
    projects: [
      // Those that leave their process as it was share one, which loads their modules once.
      { extends: true, test: { name: 'database', include: DATABASE, isolate: false } },
      {
        extends: true,
        test: { name: 'program', include: ['test/**/*.test.ts'], exclude: [...DATABASE, ...ALONE], isolate: false },
      },
      { extends: true, test: { name: 'alone', include: ALONE } },
    ],
    // Directories are removed when their last user has left; the tests of lingering say so themselves. The commands are a
    // person's, even where an agent runs the tests.
    env: {
      CAIRN_LINGER_SECONDS: '0',
      ...HOMES,
      ...NPM,
      ...Object.fromEntries(AGENT_VARIABLES.map((name) => [name, ''])),
    },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // A test that has asserted nothing has not passed.
    expect: { requireAssertions: true },
    // Many suites wait for processes of their own, and a core would be idle meanwhile.
    maxWorkers: availableParallelism() + 1,
    // Real servers are killed and started on machines that others load: one second chance, and the report tells of it.
    retry: process.env['CI'] ? 1 : 0,
  },
});
