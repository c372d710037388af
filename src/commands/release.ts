import type { Config } from '../config.ts';
import { type ChangedTask, ReleaseTaskAsPerson, releaseTask } from '../services/tasks.ts';
import { givenOrAsked } from './ask.ts';
import { statusOf } from './format.ts';
import { answer, paint } from './paint.ts';
import { asPerson, parseGiven } from './person.ts';
import { taskRefs } from './refs.ts';
import type { ReasonOption } from './status-change.ts';

export type ReleaseOptions = ReasonOption & { failed?: true };

/** `cairn release REF`: gives tasks back that one holds, or that an agent holds which is gone. */
export async function runRelease(config: Config, given: string[], options: ReleaseOptions): Promise<void> {
  const asked = { option: '--reason', question: 'What should the next one know?' };
  const reason = await givenOrAsked(options.reason, asked, options);
  const outcome = options.failed ? 'failed' : 'paused';
  await asPerson(config, async (ctx) => {
    const released: ChangedTask['task'][] = [];
    for (const task of await taskRefs(ctx, given)) {
      released.push((await releaseTask(ctx, parseGiven(ReleaseTaskAsPerson, { task, outcome, reason }))).task);
    }
    answer(released.length === 1 ? released[0] : released, options, () =>
      released.map((task) => `Released ${paint('bold', task.ref)} "${task.title}" (${statusOf(task)}).`),
    );
  });
}
