import type { Config } from '../../config.ts';
import { person } from '../../tools/person.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { requirePerson } from '../require-person.ts';
import { type JsonOption, printResult } from '../terminal/output.ts';
import { afterChange } from './changed.ts';
import { taskRef } from './refs.ts';

/** `cairn approve REF`: records a person's approval, for a gate that requires one, or of what was submitted. */
export async function runApprove(config: Config, task: string, options: JsonOption & { note?: string }): Promise<void> {
  requirePerson(config);
  await inLocalContext(config, async (ctx) => {
    const input = { task: await taskRef(ctx, task), note: options.note };
    const approved = await perform(ctx, person.approve_task, input);
    const completed = approved.followed?.some(
      ({ type, ref }) => type === 'task.completed' && ref === approved.task.ref,
    );
    printResult(approved.task, options, ({ ref, title, status }) => [
      `Approved ${ref} "${title}" (${completed ? 'completed' : status}).`,
      ...afterChange(approved),
    ]);
  });
}
