import { isEmbedded, readBrief } from '../../brief-files.ts';
import { type Config, readConfig } from '../../config.ts';
import { isServerRunning } from '../../db/embedded/postmaster.ts';
import { DomainError } from '../../errors.ts';
import { readInput } from '../terminal/transcript.ts';

// From the start of the process. It takes a fraction of that; where the machine or the database keeps it longer than an
// agent may be kept waiting, it stops wherever it is.
const ANSWER_MS_MAX = 2_000;
const ASK = 'Cairn holds the plan and the hand-over of this repository. Call resume_project.\n';

/**
 * `cairn hook EVENT`, for Claude Code: `session-start` prints where the project stands, `pre-compact` and `stop` save a
 * checkpoint when something changed since the last. It never fails and never waits: without a running database it prints
 * what was left behind by whoever used it last; without a bound project or the time it says little or nothing. It ends with 0.
 */
export async function runHook(event: string, flags: object): Promise<void> {
  let said = '';
  const end = () => process.stdout.write(said, () => process.exit(0));
  setTimeout(end, Math.max(0, ANSWER_MS_MAX - performance.now()));
  try {
    const input = await readInput(process.stdin);
    const config = readConfig(flags, undefined, input.cwd);
    if (config.project === undefined) return;
    // Without a word of the repository's own: the database alone knows whether there is such a project.
    if (event === 'session-start') said = leftBehind(config, config.project) ?? ASK;
    if (!(await isRunning(config))) return;
    // Imported last: most hooks find no database running, and need nothing to speak to one.
    const { askDatabase } = await import('./hook-database.ts');
    said = (await askDatabase(event, config, input)) ?? said;
  } catch (error) {
    // The agent goes on without it, and is not sent after a project that is not there.
    if (error instanceof DomainError && error.code === 'not_found') said = '';
  } finally {
    end();
  }
}

function leftBehind(config: Config, project: string): string | undefined {
  return isEmbedded(config) ? readBrief(config.dataDir, project) : undefined;
}

/** Whether there seems to be a database to ask. */
async function isRunning(config: Config): Promise<boolean> {
  return !isEmbedded(config) || isServerRunning(config.dataDir);
}
