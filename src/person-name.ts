import { execFile } from 'node:child_process';
import { homedir, userInfo } from 'node:os';
import { promisify } from 'node:util';
import { cleanName } from './text.ts';

const NAME_CHARACTERS_MAX = 100;
const GIT_MS_MAX = 1_000;

/** What whoever runs this is called: as in their commits, else as on this machine. */
export async function personName(): Promise<string> {
  return (await nameInCommits()) || cleanName(accountName(), NAME_CHARACTERS_MAX) || 'owner';
}

/** A repository may say another name of its own: what a person is called is not for it to say. */
async function nameInCommits(): Promise<string> {
  // Where the working directory is looked through for programs too, it is not the repository.
  const options = { cwd: homedir(), timeout: GIT_MS_MAX, windowsHide: true };
  try {
    const { stdout } = await promisify(execFile)('git', ['config', '--global', 'user.name'], options);
    return cleanName(stdout, NAME_CHARACTERS_MAX);
  } catch {
    return '';
  }
}

/** A container may run as a uid that has none. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}
