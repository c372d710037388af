import type { Context } from '../../context.ts';
import type { Command } from '../../events/commands.ts';
import type { RunBrief } from '../../events/runs.ts';
import { agents as agentTools } from '../../tools/agents.ts';
import { eachPage, printRetry, readPosition, untilLeft } from '../following.ts';
import { perform } from '../local-context.ts';
import { type JsonOption, printLine } from '../terminal/output.ts';
import { CHANGING, REFRESH_SECONDS } from './follow.ts';
import { noteOfRun, statusOfRun } from './runs.ts';

/** Waits until all runs of a command have ended, or the person leaves; tells each change on the way. */
export function waitForRuns(
  ctx: Context,
  sent: Command,
  { json }: JsonOption,
): Promise<{ command: Command; left: boolean }> {
  return untilLeft(async (leaving) => {
    const over = new AbortController();
    const signal = AbortSignal.any([leaving.signal, over.signal]);
    const from = await readPosition(ctx);
    const told = new Map((sent.runs ?? []).map((run) => [run.id, changeOf(run)]));
    let command = sent;
    const take = async () => {
      command = await perform(ctx, agentTools.commands.get_command, { command: sent.id });
      for (const run of command.runs ?? []) {
        const change = changeOf(run);
        if (!json && told.get(run.id) !== change) printLine(change);
        told.set(run.id, change);
      }
      if ((command.runs ?? []).every((run) => hasEnded(run, command))) over.abort();
    };
    // It may have ended before the position was read.
    await take();
    await eachPage(
      { ...ctx, signal: () => signal },
      { from, project: '*', types: CHANGING, seconds: REFRESH_SECONDS },
      { take, missed: printRetry },
    );
    return { command, left: !over.signal.aborted };
  });
}

/** A run that nobody has taken in its time is over, too: an agent that does not come back never says so. */
function hasEnded({ status, ended_at }: RunBrief, { expires_at }: Command): boolean {
  return ended_at !== undefined || (status === 'queued' && Date.parse(expires_at) <= Date.now());
}

function changeOf(run: RunBrief): string {
  const note = noteOfRun(run);
  return `${run.agent}: ${statusOfRun(run)}${note === '' ? '' : `, ${note}`}`;
}
