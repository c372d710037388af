import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { messageOf } from '../../errors.ts';
import type { Driver } from '../../runner/driver.ts';
import { git } from '../../runner/git.ts';
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
  const { workspace, env, open } = given;
  const folder = await workFolder(workspace, env);
  const driver = await open(folder);
  if (workspace !== 'worktree') return { driver };
  // A text that joins the turn of another run would not be in its own worktree.
  const modes = driver.modes.filter((mode) => mode !== 'steer');
  return { driver: { ...driver, modes }, enter: await worktrees({ ...given, from: folder }) };
}

/** Finds the folder in which an agent works, or from which its worktrees are made. Raises invalid_input without one. */
export async function workFolder(workspace: string, env: NodeJS.ProcessEnv): Promise<string> {
  const here = process.cwd();
  if (workspace === 'here') return here;
  if (workspace === 'worktree') return inRepository(here, env);
  // What is empty would be this folder: a variable of a script that is not set.
  if (workspace.trim() === '') throw mistyped('--workspace names no folder.', WORKSPACES);
  const folder = resolve(workspace);
  const found = await stat(folder).catch(() => undefined);
  if (found?.isDirectory()) return folder;
  throw mistyped(`There is no folder ${folder}.`, WORKSPACES);
}

async function inRepository(folder: string, env: NodeJS.ProcessEnv): Promise<string> {
  try {
    await git(folder, env, ['rev-parse', '--show-toplevel']);
    return folder;
  } catch (error) {
    throw mistyped(
      `Worktrees need a git repository: ${messageOf(error)}.`,
      'Start the runner in one, or leave --workspace out.',
    );
  }
}
