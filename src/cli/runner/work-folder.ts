import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { messageOf } from '../../errors.ts';
import type { Driver } from '../../runner/driver.ts';
import type { OpenPlace } from '../../runner/place.ts';
import { worktrees } from '../../runner/worktrees.ts';
import { mistyped } from '../mistyped.ts';

const WORKSPACES = 'Say --workspace here, worktree, or a folder that is there.';

type Given = {
  /** `here`, `worktree` or a folder. */
  workspace: string;
  agent: string;
  dataDir: string;
  env: NodeJS.ProcessEnv;
  open(cwd: string): Promise<Driver>;
};

/** Opens the driver of an agent where `--workspace` says. */
export async function openDriver(given: Given): Promise<{ driver: Driver; enter?: OpenPlace }> {
  const { workspace, open } = given;
  const from = process.cwd();
  if (workspace === 'here') return { driver: await open(from) };
  if (workspace === 'worktree') {
    const driver = await open(from);
    // A text that joins the turn of another run would not be in its own worktree.
    const modes = driver.modes.filter((mode) => mode !== 'steer');
    return { driver: { ...driver, modes }, enter: await enterWorktrees({ ...given, from }) };
  }
  // What is empty would be this folder: a variable of a script that is not set.
  if (workspace.trim() === '') throw mistyped('--workspace names no folder.', WORKSPACES);
  const folder = resolve(workspace);
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory()) return { driver: await open(folder) };
  throw mistyped(`There is no folder ${folder}.`, WORKSPACES);
}

async function enterWorktrees(given: Given & { from: string }): Promise<OpenPlace> {
  try {
    return await worktrees(given);
  } catch (error) {
    throw mistyped(
      `Worktrees need a git repository: ${messageOf(error)}.`,
      'Start the runner in one, or leave --workspace out.',
    );
  }
}
