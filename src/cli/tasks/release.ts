import type { Config } from '../../config.ts';
import { person } from '../../tools/person.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { givenOrAsked } from '../terminal/ask.ts';
import { styled } from '../terminal/output.ts';
import { attemptsOf, statusOf } from '../terminal/table.ts';
import { afterChange } from './changed.ts';
import { eachTask } from './each-task.ts';
import type { ReasonOption } from './status-change.ts';

export type ReleaseOptions = ReasonOption & { failed?: true };

/** `cairn release REF`: releases tasks that the caller holds, or whose agent is gone. */
export async function runRelease(config: Config, given: string[], options: ReleaseOptions): Promise<void> {
  const asked = { option: '--reason', question: 'What should the next one know?' };
  const reason = await givenOrAsked(options.reason, asked, options);
  const outcome = options.failed ? 'failed' : 'paused';
  await inLocalContext(config, (ctx) =>
    eachTask(
      ctx,
      { ...options, given },
      {
        act: (task) => perform(ctx, person.release_task, { task, outcome, reason }),
        show: ({ task, ...changed }) => [
          `Released ${styled('bold', task.ref)} "${task.title}" (${statusOf(task)}).`,
          ...(task.attempts === undefined ? [] : [`${attemptsOf(task.attempts)}.`]),
          ...afterChange({ task, ...changed }),
        ],
      },
    ),
  );
}
