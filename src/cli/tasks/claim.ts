import type { Config } from '../../config.ts';
import { tasks as taskTools } from '../../tools/tasks.ts';
import { inCommands } from '../hints.ts';
import { inLocalContext, perform } from '../local-context.ts';
import { type JsonOption, printResult, styled } from '../terminal/output.ts';
import { lease } from '../terminal/table.ts';
import { openPartsOf } from './changed.ts';
import { taskRef } from './refs.ts';
import { openParts, taskLines, titled } from './task-lines.ts';
import { countsLine } from './tasks.ts';

export type ClaimOptions = JsonOption & { for: number; label?: string[]; takeOver?: true };

/** `cairn claim [REF]`: takes a task, by default the best ready one, so that no agent does. */
export async function runClaim(config: Config, given: string | undefined, options: ClaimOptions): Promise<void> {
  const { claim, parts } = await inLocalContext(config, async (ctx) => {
    const task = given && (await taskRef(ctx, given));
    const input = { task, labels: options.label, ttl_seconds: options.for, take_over: options.takeOver };
    const claim = await perform(ctx, taskTools.commands.claim_task, input);
    return { claim, parts: claim.task === undefined ? [] : await openParts(ctx, claim.task) };
  });
  // A script without work stops: `while cairn claim; do …`.
  if (claim.task === undefined) process.exitCode = 1;
  printResult(claim, options, ({ task, gates = [], project = '', counts = {}, hint = '' }) =>
    task === undefined
      ? [`Nothing to claim in ${project}: ${countsLine(counts)}.`, ...(hint === '' ? [] : [inCommands(hint)])]
      : [
          ...taskLines({ ...task, artifacts: [], timeline: [] }, parts),
          ...titled(
            'To close it, these are still missing',
            gates.map((gate) => `  ${inCommands(gate, task.ref)}`),
          ),
          '',
          `${styled('bold', task.ref)} is yours${task.locked_until ? `, ${lease(task.locked_until)}` : ''}.`,
          ...openPartsOf(task),
          styled('dim', `Then: cairn close ${task.ref}, or cairn release ${task.ref} -m "…"`),
        ],
  );
}
