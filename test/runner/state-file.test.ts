import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runAgent } from '../../src/cli/runner/run-agent.ts';
import { readConfig } from '../../src/config.ts';
import { countDriven, StateFile } from '../../src/runner/state-file.ts';

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cairn-runners-'));
});

afterEach(() => rm(dataDir, { recursive: true, force: true }));

/** Leaves the state of a runner that has ended. */
async function leaveBehind(agent: string): Promise<void> {
  const { pid } = spawnSync(process.execPath, ['--version']);
  const state = { token: 1, runner: { pid, began: '' }, children: [] };
  await writeFile(join(dataDir, 'runners', `${agent}.json`), JSON.stringify(state));
}

describe('the runners of a machine', () => {
  test('are counted while they are alive', async () => {
    expect(await countDriven(dataDir)).toBe(0);
    const mine = new StateFile(dataDir, 'heron');
    await mine.write(1, []);
    await new StateFile(dataDir, 'ibis@example.com').write(1, []);
    await leaveBehind('egret');

    expect(await new StateFile(dataDir, 'egret').read()).toMatchObject({ token: 1 });
    expect(await countDriven(dataDir)).toBe(2);
    await new StateFile(dataDir, 'stork', { atOnce: 3 }).write(1, []);
    expect(await countDriven(dataDir)).toBe(5);
    await mine.remove();
    expect(await countDriven(dataDir)).toBe(4);
  });

  test('leave nothing when they end in order, also of what was said beside their state', async () => {
    const mine = new StateFile(dataDir, 'heron');
    await mine.write(1, []);
    await writeFile(mine.errors, 'Invalid message.\n');

    await mine.remove();

    expect(await readdir(join(dataDir, 'runners'))).toEqual([]);
  });

  test('name what holds their agent before they have registered', async () => {
    const state = new StateFile(dataDir, 'heron');
    state.heldBy({ pid: process.pid, path: '/none', secret: 'x', drives: 'y' });
    await state.write(undefined, []);

    const left = await new StateFile(dataDir, 'heron').read();

    expect(left).toMatchObject({ holder: { pid: process.pid, path: '/none', drives: 'y' } });
    expect(left).not.toHaveProperty('token');
  });

  test('name what an agent has that they have just taken over, and give it back as it was', async () => {
    const left = {
      ...{ token: 7, runner: { pid: 2_147_483_646, began: '1' }, at_once: 1, at: 5 },
      children: [{ pid: 2_147_483_645, began: '2', mark: 'of its group' }],
      holder: { pid: 2_147_483_644, began: '3', path: '/none', secret: 'x', drives: 'y' },
    };
    const state = new StateFile(dataDir, 'heron');
    state.heldBy({ pid: process.pid, path: '/none', secret: 'x', drives: 'y' }, left.children);
    await state.write(7, [2_147_483_645]);

    expect(await state.read()).toMatchObject({ token: 7, runner: { pid: process.pid }, children: left.children });
    await state.giveBack(left);
    expect(await state.read()).toEqual(left);
  });

  test('are no more than the machine may have', async () => {
    await new StateFile(dataDir, 'heron').write(1, []);
    const config = readConfig({ dataDir }, { CAIRN_MAX_AGENTS: '1' });

    const refused = runAgent(config, ['true'], {
      ...{ driver: 'pipe', quiet: 5, accept: 'owner', answerWithin: 900, workspace: 'here', atOnce: 1 },
    });

    await expect(refused).rejects.toMatchObject({
      message: 'This machine drives 1 of at most 1 agents.',
      hint: 'End a runner, or set CAIRN_MAX_AGENTS to more.',
    });
  });
});
