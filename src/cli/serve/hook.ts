import { isEmbedded, readBrief } from '../../brief-files.ts';
import { type Config, readConfig } from '../../config.ts';
import { isServerRunning } from '../../db/embedded/postmaster.ts';
import { DomainError } from '../../errors.ts';
import { readInput } from '../terminal/transcript.ts';

// Counted from the start of the process. The hook needs a fraction of it; if the machine or the database delays it
// longer than an agent may wait, it stops anywhere.
const ANSWER_MS_MAX = 2_000;
const ASK = 'Cairn holds the plan and the hand-over of this repository. Call resume_project.\n';

/**
 * `cairn hook EVENT`, for Claude Code: `session-start` prints where the project stands, `pre-compact` and `stop` save a
 * checkpoint if something changed since the last. It never fails and never waits: without a running database it prints
 * the last user's brief; without a bound project or the time it prints little or nothing. Its exit status is 0.
 */
export async function runHook(event: string, flags: object): Promise<void> {
  let said = '';
  const end = () => process.stdout.write(said, () => process.exit(0));
  setTimeout(end, Math.max(0, ANSWER_MS_MAX - performance.now()));
  try {
    const input = await readInput(process.stdin);
    const config = readConfig(flags, undefined, input.cwd);
    if (config.project === undefined) return;
    // Does not repeat the repository's own words: only the database knows whether the project exists.
    if (event === 'session-start') said = leftBehind(config, config.project) ?? ASK;
    if (!(await isRunning(config))) return;
    // Imported last: most hooks find no running database and need no client for one.
    const { askDatabase } = await import('./hook-database.ts');
    said = (await askDatabase(event, config, input)) ?? said;
  } catch (error) {
    // The agent goes on without it, and is not sent after a missing project.
    if (error instanceof DomainError && error.code === 'not_found') said = '';
  } finally {
    end();
  }
}

function leftBehind(config: Config, project: string): string | undefined {
  return isEmbedded(config) ? readBrief(config.dataDir, project) : undefined;
}

/** Tells whether a database seems to run. */
async function isRunning(config: Config): Promise<boolean> {
  return !isEmbedded(config) || isServerRunning(config.dataDir);
}
