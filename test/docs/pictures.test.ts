import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { drawAgents } from '../../scripts/pictures/agents.ts';
import { seedDataDir } from '../support/data-dir.ts';

// Its stand-in is found on the PATH as a script for sh.
test.skipIf(process.platform === 'win32')(
  'the picture in docs/agents.md shows what happens, from an empty home; `npm run pictures` draws it again',
  { timeout: 60_000 },
  async () => {
    const home = await mkdtemp(join(tmpdir(), 'cairn-pictures-'));
    try {
      await seedDataDir(join(home, 'cairn'));

      const drawn = await drawAgents(home);

      expect(drawn).toBe(await readFile(new URL('../../docs/pictures/agents.svg', import.meta.url), 'utf8'));
    } finally {
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
    }
  },
);
