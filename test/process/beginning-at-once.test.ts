import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type LocalWorld, openLocalWorld } from '../support/local-world.ts';
import { RunnerProcess } from '../support/runner-process.ts';

// `cairn agent run` several times at the same moment, on one data directory.

const PROGRAM = fileURLToPath(new URL('../runner/stand-ins/program.mjs', import.meta.url));
const TRIES = 10;

let world: LocalWorld;
const running = new Set<RunnerProcess>();

beforeAll(async () => {
  world = await openLocalWorld();
}, 120_000);

afterEach(endAll);

afterAll(() => world?.close());

async function endAll(): Promise<void> {
  await Promise.all([...running].map((runner) => runner.end('SIGTERM')));
  running.clear();
}

function begin(type: string, env: Record<string, string> = {}): RunnerProcess {
  const words = ['--driver', 'pipe', '--type', type, '--', process.execPath, PROGRAM];
  const runner = new RunnerProcess(words, { dataDir: world.dataDir, env });
  running.add(runner);
  return runner;
}

/** The names whose state says that they are registered. */
async function noted(): Promise<string[]> {
  const folder = join(world.dataDir, 'runners');
  const files = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  const states = await Promise.all(files.map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8'))));
  return states.flatMap(({ agent, token }) => (token === undefined ? [] : [agent])).sort();
}

describe('runners that begin at once', { timeout: 300_000 }, () => {
  test('have a name and a state each', async () => {
    for (let at = 1; at <= TRIES; at += 1) {
      const names = [1, 2, 3, 4].map((number) => `teal${at}-${number}`);

      const runners = names.map(() => begin(`teal${at}`));
      await Promise.all(runners.map((runner) => runner.says('waits for commands')));

      expect(runners.map(({ stdout }) => stdout.split(' ')[0]).sort()).toEqual(names);
      await vi.waitFor(async () => expect(await noted()).toEqual(names), { timeout: 5_000 });
      await endAll();
      expect(await readdir(join(world.dataDir, 'runners'))).toEqual([]);
    }
  });

  test('are no more than the machine may have', async () => {
    const runners = Array.from({ length: 6 }, () => begin('smew', { CAIRN_MAX_AGENTS: '2' }));

    const came = await Promise.allSettled(runners.map((runner) => runner.says('waits for commands')));

    expect(came.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    const refused = runners.filter(({ stderr }) => stderr.includes('This machine drives 2 of at most 2 agents.'));
    expect(refused).toHaveLength(4);
  });
});
