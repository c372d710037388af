import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

// A checkout of a large repository takes its time.
const MS_MAX = 600_000;
const BYTES_MAX = 67_108_864;

/** Runs git in a folder, whatever repository the environment names, and returns what it prints without the last newline. */
export async function git(cwd: string, env: NodeJS.ProcessEnv, args: readonly string[]): Promise<string> {
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => !/^GIT_/i.test(name)));
  const options = { cwd, env: own, timeout: MS_MAX, maxBuffer: BYTES_MAX, windowsHide: true };
  try {
    const { stdout } = await promisify(execFile)('git', [...args], options);
    return stdout.replace(/\r?\n$/, '');
  } catch (error) {
    throw new Error(complaintOf(error));
  }
}

function complaintOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'ENOENT') return 'There is no git, or no such folder.';
  const said = 'stderr' in error ? String(error.stderr).trim() : '';
  return said.replace(/^fatal: /gm, '') || error.message;
}
