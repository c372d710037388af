import type { Config } from '../config.ts';
import { readConfig } from '../config.ts';
import { type Context, SCOPES } from '../context.ts';
import { DomainError } from '../errors.ts';
import { openLocal } from '../local.ts';
import { createLog } from '../log.ts';
import { agentName } from '../server/client-name.ts';
import { type Resumption, resumeProject, saveCheckpoint } from '../services/checkpoints.ts';
import { brief, changesOf } from './hook-text.ts';
import { lastWords, readInput } from './transcript.ts';

// From the start of the process. It takes a quarter of a second; where the machine or the database keeps it longer than
// an agent may be kept waiting, it stops wherever it is.
const ANSWER_MS_MAX = 2_000;
// A client stops after each answer: so often is it worth a checkpoint.
const STOP_MS_MIN = 10 * 60_000;
const ASK = 'Cairn holds the plan and the hand-over of this repository. Call resume_project.\n';
const LABELS: Readonly<Record<string, string>> = Object.freeze({
  'pre-compact': 'Saved before compaction',
  stop: 'Saved at stop',
});

/**
 * `cairn hook EVENT`, for Claude Code: `session-start` prints where the project stands, `pre-compact` and `stop` save a
 * checkpoint when something changed since the last. It never fails and never waits: without a bound project, a running
 * database or the time, it says little or nothing, and ends with 0.
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
    if (event === 'session-start') said = ASK;
    if (!(await isRunning(config))) return;
    const { db, actor } = await openLocal(config, createLog('silent'));
    const agent = config.agent ?? agentName('claude-code', input.session_id ?? 'hook');
    const log = createLog('silent');
    const ctx: Context = {
      db,
      log,
      scopes: new Set(SCOPES),
      actor: { ...actor, agent, client: 'hook' },
      project: config.project,
    };
    const found = await resumeProject(ctx, {});
    if (event === 'session-start') said = brief(found);
    else if (isWorthSaving(event, found)) await saveCheckpoint(ctx, await checkpoint(event, found, input));
  } catch (error) {
    // The agent goes on without it, and is not sent after a project that is not there.
    if (error instanceof DomainError && error.code === 'not_found') said = '';
  } finally {
    end();
  }
}

/** Whether asking will not have to start a database first. */
async function isRunning({ dataDir, databaseUrl, supabaseUrl }: Config): Promise<boolean> {
  if (databaseUrl !== undefined || supabaseUrl !== undefined) return true;
  const { isServerRunning } = await import('../db/embedded/postmaster.ts');
  return isServerRunning(dataDir);
}

function isWorthSaving(event: string, { checkpoint, since }: Resumption): boolean {
  if (LABELS[event] === undefined || since.events === 0) return false;
  const age = checkpoint === undefined ? Number.POSITIVE_INFINITY : Date.now() - Date.parse(checkpoint.created_at);
  return event !== 'stop' || checkpoint?.label !== LABELS['stop'] || age > STOP_MS_MIN;
}

/** What changed, in the agent's last words where it left any; what an agent said to do first is handed on. */
async function checkpoint(
  event: string,
  { checkpoint: last, since }: Resumption,
  input: Awaited<ReturnType<typeof readInput>>,
) {
  const words = await lastWords(input);
  return {
    label: LABELS[event] ?? event,
    summary: [words, changesOf(since)].filter((part) => part !== '').join('\n\n'),
    ...(last?.resume_instructions !== undefined && { resume_instructions: last.resume_instructions }),
    snapshot: { hook: event, ...(input.session_id !== undefined && { session: input.session_id }) },
  };
}
