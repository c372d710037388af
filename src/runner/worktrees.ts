import { mkdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import * as z from 'zod';
import { messageOf } from '../errors.ts';
import { clean, firstOf } from '../text.ts';
import type { Driver } from './driver.ts';
import { git } from './git.ts';
import type { Left } from './left.ts';
import type { OpenPlace } from './place.ts';

type Options = {
  /** The folder in which the runner was started. */
  from: string;
  dataDir: string;
  agent: string;
  env: NodeJS.ProcessEnv;
  /** Opens a driver that works in a folder. */
  open(cwd: string): Promise<Driver>;
};
const Worktree = z.object({ repository: z.string(), path: z.string(), branch: z.string(), base: z.string() });
type Worktree = z.infer<typeof Worktree>;

const ID_CHARACTERS = 8;
// The metrics of a run have 8 KB.
const NAMES_BYTES_MAX = 3_000;
const PATH_CHARACTERS_MAX = 400;

/**
 * Gives each run a git worktree of its own with a branch of its own, made from HEAD of the repository in which the
 * runner was started. Raises where there is no repository.
 */
export async function worktrees({ from, dataDir, agent, env, open }: Options): Promise<OpenPlace> {
  const repository = await git(from, env, ['rev-parse', '--show-toplevel']);
  // The agent works in the same folder of the repository as the runner.
  const folder = await git(from, env, ['rev-parse', '--show-prefix']);
  return async ({ id, attempt = 1 }, kept) => {
    // A second attempt must not find the files of the first.
    const name = `${agent.replace(/[^\w-]/g, '-')}-${id.slice(-ID_CHARACTERS)}${attempt > 1 ? `-${attempt}` : ''}`;
    const path = join(dataDir, 'worktrees', `${basename(repository)}-${name}`);
    try {
      const worktree =
        Worktree.safeParse(kept).data ?? (await make({ repository, path, branch: `cairn/${name}` }, env));
      const cwd = join(worktree.path, folder);
      const isThere = await isFolder(cwd);
      // An agent that was left in one that is gone would work on, watched by nobody.
      if (!isThere && kept !== undefined) await open(cwd).then((left) => left.close());
      if (!isThere) throw new Error(`${kept === undefined ? 'HEAD' : worktree.path} has no folder ${folder}`);
      const driver = await open(cwd);
      return {
        driver,
        kept: worktree,
        leave: async () => {
          await driver.close().catch(() => {});
          return leave(worktree, env);
        },
      };
    } catch (error) {
      throw new Error(`The run has no worktree: ${messageOf(error)}`);
    }
  };
}

async function make(wanted: Omit<Worktree, 'base'>, env: NodeJS.ProcessEnv): Promise<Worktree> {
  const { repository, path, branch } = wanted;
  const base = await git(repository, env, ['rev-parse', '--verify', 'HEAD^{commit}']);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await git(repository, env, ['worktree', 'add', '--quiet', '-b', branch, path, base]);
  return { ...wanted, base };
}

/** Says what is in a worktree, and removes it only if that is nothing that the repository does not have. */
async function leave(worktree: Worktree, env: NodeJS.ProcessEnv): Promise<Left> {
  const { repository, path, branch, base } = worktree;
  const about = { ...worktree, repository: shortened(repository), path: shortened(path), base };
  try {
    const head = await git(path, env, ['rev-parse', 'HEAD']);
    const files = await changedFiles(worktree, env);
    const found = { ...about, head, file_count: files.length, files: asManyAsFit(files) };
    if (!(await isUntouched(worktree, { head, env }))) return { ...found, kept: true };
    // Both refuse what has changed since: without --force, and with the commit that the branch shall have.
    await git(repository, env, ['worktree', 'remove', path]);
    await git(repository, env, ['update-ref', '-d', `refs/heads/${branch}`, base]);
    return { ...found, kept: false };
  } catch (error) {
    return { ...about, kept: true, error: firstOf(clean(messageOf(error)), PATH_CHARACTERS_MAX) };
  }
}

async function isUntouched(
  { path, branch, base }: Worktree,
  { head, env }: { head: string; env: NodeJS.ProcessEnv },
): Promise<boolean> {
  const tip = await git(path, env, ['rev-parse', `refs/heads/${branch}`]);
  // What the repository tells git to ignore is no work.
  const status = await git(path, env, ['status', '--porcelain', '--untracked-files=all']);
  return head === base && tip === base && status === '';
}

/** Lists the files that differ from the base, and the new ones. */
async function changedFiles({ path, base }: Worktree, env: NodeJS.ProcessEnv): Promise<string[]> {
  const changed = await git(path, env, ['diff', '--name-only', '--no-ext-diff', '-z', base]);
  const added = await git(path, env, ['ls-files', '--others', '--exclude-standard', '-z']);
  return [...new Set(`${changed}${added}`.split('\0').filter((name) => name !== ''))];
}

function asManyAsFit(names: readonly string[]): string[] {
  let bytes = 0;
  const cleaned = names.map((name) => clean(name));
  const end = cleaned.findIndex((name) => {
    bytes += Buffer.byteLength(JSON.stringify(name)) + 2;
    return bytes > NAMES_BYTES_MAX;
  });
  return end === -1 ? cleaned : cleaned.slice(0, end);
}

function shortened(path: string): string {
  return clean(path).slice(-PATH_CHARACTERS_MAX);
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
