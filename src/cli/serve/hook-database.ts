import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import { openLocal } from '../../local.ts';
import { createLog } from '../../log.ts';
import { agentName } from '../../server/mcp/agent-name.ts';
import type { Resumption } from '../../services/checkpoints.ts';
import { brief, changesOf } from '../../tools/brief.ts';
import { checkpoints } from '../../tools/checkpoints.ts';
import { amount } from '../../tools/render.ts';
import { perform } from '../local-context.ts';
import { type HookInput, lastWords } from '../terminal/transcript.ts';

// A client stops after each answer: a checkpoint is worth it this often.
const STOP_MS_MIN = 10 * 60_000;
const LABELS: Readonly<Record<string, string>> = Object.freeze({
  'pre-compact': 'Saved before compaction',
  stop: 'Saved at stop',
});

/**
 * Answers a hook from a running database, or saves in it; starts none. Returns the text to print; the caller ends the
 * process.
 */
export async function askDatabase(event: string, config: Config, input: HookInput): Promise<string | undefined> {
  const log = createLog('silent');
  const { db, blobs, actor } = await openLocal(config, log, { start: false });
  const agent = config.agent ?? agentName('claude-code', input.session_id ?? 'hook');
  const ctx: Context = {
    db,
    blobs,
    log,
    scopes: 'all',
    actor: { ...actor, agent, client: 'hook' },
    project: config.project,
  };
  const found = await perform(ctx, checkpoints.commands.resume_project, {});
  if (event === 'session-start') return brief(found);
  if (isWorthSaving(event, found))
    await perform(ctx, checkpoints.commands.save_checkpoint, await checkpoint(event, found, input));
  return undefined;
}

function isWorthSaving(event: string, { checkpoint, since }: Resumption): boolean {
  if (LABELS[event] === undefined || since.events === 0) return false;
  const age = checkpoint === undefined ? Number.POSITIVE_INFINITY : Date.now() - Date.parse(checkpoint.created_at);
  return event !== 'stop' || checkpoint?.label !== LABELS['stop'] || age > STOP_MS_MIN;
}

/** Saves the changes, in the agent's last words if there are any; keeps the first step that an agent left. */
async function checkpoint(event: string, { checkpoint: last, since }: Resumption, input: HookInput) {
  const said = [await lastWords(input), changesOf(since)].filter((part) => part !== '');
  return {
    label: LABELS[event] ?? event,
    // Notes alone are no changes of tasks.
    summary: said.length === 0 ? `${amount(since.events, 'event')}.` : said.join('\n\n'),
    ...(last?.resume_instructions !== undefined && { resume_instructions: last.resume_instructions }),
    snapshot: { hook: event, ...(input.session_id !== undefined && { session: input.session_id }) },
  };
}
