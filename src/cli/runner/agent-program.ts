import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { findProgram, isPath } from '../../runner/find-program.ts';
import { cleanLine } from '../../text.ts';
import { mistyped } from '../mistyped.ts';

/**
 * Returns the program of an agent as it is started wherever the agent works: a path counts from this folder. Raises
 * invalid_input where there is none that can be started.
 */
export function agentProgram(command: string, env: NodeJS.ProcessEnv): string {
  const cwd = process.cwd();
  const found = findProgram(command, { cwd, env });
  // One that is on PATH may be installed elsewhere, while the runner goes on.
  if (found !== undefined) return isPath(command) ? found : command;
  const name = cleanLine(command);
  if (!isPath(command))
    throw mistyped(`There is no program ${name} on the PATH.`, 'Install it, or name it by its path.');
  if (!existsSync(resolve(cwd, command))) {
    throw mistyped(`There is no program ${name} here.`, `It is looked for from ${cleanLine(cwd)}.`);
  }
  throw mistyped(`${name} is no program that can be started.`, 'Name one, or make it executable: chmod +x.');
}
