import type { Context } from '../../context.ts';
import type { Resumption } from '../../services/checkpoints.ts';
import { brief, changesOf } from '../../tools/brief.ts';
import { checkpoints } from '../../tools/checkpoints.ts';
import { amount } from '../../tools/render.ts';
import { perform } from '../local-context.ts';
import { type HookInput, lastWords } from './input.ts';

// A client stops after each answer: a checkpoint is worth it this often.
const STOP_MS_MIN = 10 * 60_000;
const LABELS: Readonly<Record<string, string>> = Object.freeze({
  'pre-compact': 'Saved before compaction',
  stop: 'Saved at stop',
});

/** Tells a session where its project stands. */
export async function readBriefNow(ctx: Context): Promise<string> {
  return brief(await perform(ctx, checkpoints.commands.resume_project, {}));
}

/** Saves a checkpoint, if anything changed since the last. */
export async function saveCheckpoint(ctx: Context, event: string, input: HookInput): Promise<void> {
  const found = await perform(ctx, checkpoints.commands.resume_project, {});
  if (isWorthSaving(event, found))
    await perform(ctx, checkpoints.commands.save_checkpoint, await checkpoint(event, found, input));
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
    snapshot: { hook: event, ...(input.session !== undefined && { session: input.session }) },
  };
}
