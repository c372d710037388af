import { execFile } from 'node:child_process';
import { homedir, userInfo } from 'node:os';
import { promisify } from 'node:util';
import { cleanName } from './text.ts';

const NAME_CHARACTERS_MAX = 100;
const GIT_MS_MAX = 1_000;

/** Returns the name of the person: from their commits, otherwise from this machine. */
export async function personName(): Promise<string> {
  return (await nameInCommits()) || cleanName(accountName(), NAME_CHARACTERS_MAX) || 'owner';
}

/** Reads the name for commits, but not a repository's own setting: it must not decide a person's name. */
async function nameInCommits(): Promise<string> {
  // Some systems search the working directory for programs too: it must not be the repository.
  const options = { cwd: homedir(), timeout: GIT_MS_MAX, windowsHide: true };
  try {
    const { stdout } = await promisify(execFile)('git', ['config', '--global', 'user.name'], options);
    return cleanName(stdout, NAME_CHARACTERS_MAX);
  } catch {
    return '';
  }
}

/** Returns the account's name; a container may run as a uid without one. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}
