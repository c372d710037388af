import type { Config } from '../../config.ts';
import type { Context } from '../../context.ts';
import type { StatusChange } from '../../events/tasks.ts';
import type { ChangedTask } from '../../services/tasks.ts';
import { tasks as taskTools } from '../../tools/tasks.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { givenOrAsked } from '../terminal/ask.ts';
import { type JsonOption, styled } from '../terminal/output.ts';
import { statusOf } from '../terminal/table.ts';
import { afterChange } from './changed.ts';
import { eachTask } from './each-task.ts';
import { cancelledBefore, waitsInVain } from './waiting.ts';

export type ReasonOption = JsonOption & { reason?: string };

/** `cairn cancel`, `reopen`, `block` and `unblock`: change a task's status; all but `unblock` need a reason. */
export async function runStatusChange(
  config: Config,
  { given, status }: { given: string[]; status: StatusChange['status'] },
  options: ReasonOption,
): Promise<void> {
  const asked = { option: '--reason', question: `Why ${given.length === 1 ? 'is it' : 'are they'} ${status}?` };
  const reason = status === 'unblocked' ? options.reason : await givenOrAsked(options.reason, asked, options);
  await inLocalContext(config, (ctx) =>
    eachTask(
      ctx,
      { ...options, given },
      {
        async act(task) {
          const changed = await perform(ctx, taskTools.commands.update_task, { task, reason, status });
          const cancelled = await cancelledFor(ctx, changed);
          return { ...changed, ...(cancelled.length > 0 && { waits_for_cancelled: cancelled }) };
        },
        show: ({ waits_for_cancelled = [], ...changed }) => [
          `${status[0]?.toUpperCase()}${status.slice(1)} ${styled('bold', changed.task.ref)} "${changed.task.title}"${nowOf(changed.task, status)}.`,
          ...afterChange(changed),
          ...waitsInVain(changed.task.ref, waits_for_cancelled).map((line) => styled('yellow', line)),
        ],
      },
    ),
  );
}

/** Lists the cancelled tasks that a reopened one waits for: nobody would notice. */
async function cancelledFor(ctx: Context, { task }: ChangedTask): Promise<string[]> {
  if (task.status !== 'pending' || task.open_dependencies === undefined) return [];
  return cancelledBefore(await perform(ctx, taskTools.commands.get_task, { task: task.ref, timeline_size: 0 }));
}

function nowOf(task: ChangedTask['task'], status: StatusChange['status']): string {
  return task.status === status ? '' : ` (${statusOf(task)})`;
}
