import type { Config } from '../config.ts';
import type { StatusChange } from '../events/tasks.ts';
import { type ChangedTask, UpdateTask, updateTask } from '../services/tasks.ts';
import { readyNow } from '../tools/render.ts';
import { givenOrAsked } from './ask.ts';
import { eachTask } from './each-task.ts';
import { statusOf } from './format.ts';
import { type JsonOption, paint } from './paint.ts';
import { asPerson, parseGiven } from './person.ts';

export type ReasonOption = JsonOption & { reason?: string };

/** `cairn cancel`, `reopen`, `block` and `unblock`: a person moves tasks; each says why, but to unblock needs no reason. */
export async function runStatusChange(
  config: Config,
  { given, status }: { given: string[]; status: StatusChange['status'] },
  options: ReasonOption,
): Promise<void> {
  const asked = { option: '--reason', question: `Why ${given.length === 1 ? 'is it' : 'are they'} ${status}?` };
  const reason = status === 'unblocked' ? options.reason : await givenOrAsked(options.reason, asked, options);
  await asPerson(config, (ctx) =>
    eachTask(
      ctx,
      { ...options, given },
      {
        act: (task) => updateTask(ctx, parseGiven(UpdateTask, { task, reason, status })),
        show: ({ task, ...changed }) => [
          `${status[0]?.toUpperCase()}${status.slice(1)} ${paint('bold', task.ref)} "${task.title}"${nowOf(task, status)}.`,
          ...readyNow(changed),
        ],
      },
    ),
  );
}

function nowOf(task: ChangedTask['task'], status: StatusChange['status']): string {
  return task.status === status ? '' : ` (${statusOf(task)})`;
}
