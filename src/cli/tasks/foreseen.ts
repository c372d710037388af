import * as z from 'zod';
import type { Context } from '../../context.ts';
import { DomainError } from '../../errors.ts';
import { ENDED } from '../../events/tasks.ts';
import { getProject } from '../../services/projects.ts';
import type { CompleteTaskAsPerson, TaskWithHistory } from '../../services/tasks.ts';

type Task = z.infer<typeof TaskWithHistory>;
type Evidence = z.output<typeof CompleteTaskAsPerson>['evidence'];

const Gates = z.array(
  z.object({
    on: z.string(),
    when: z.unknown().optional(),
    require: z.object({
      artifacts: z.array(z.string()).default([]),
      evidence: z.string().optional(),
      approval: z.unknown().optional(),
    }),
  }),
);
// A task with more artifacts is read with only the latest.
const ARTIFACTS_READ = 20;

/**
 * Refuses to close a task if the database is known to refuse: then nothing is changed. The database judges all else.
 */
export async function refuseForeseen(ctx: Context, task: Task, evidence: Evidence): Promise<void> {
  if (ENDED.has(task.status)) {
    throw new DomainError('illegal_transition', `Task ${task.ref} is ${task.status} already.`, {
      hint: `\`cairn reopen ${task.ref}\` opens it again.`,
      details: { status: task.status },
    });
  }
  if (task.status === 'blocked') {
    throw new DomainError('illegal_transition', `Task ${task.ref} is blocked: ${task.blocked_reason ?? ''}`, {
      hint: `\`cairn unblock ${task.ref}\` lets it go on.`,
      details: { status: task.status },
    });
  }
  if (task.status !== 'pending') return;
  const missing = await missingFor(ctx, task, evidence);
  if (missing.length === 0) return;
  throw new DomainError('gate_unmet', `Task ${task.ref} cannot complete yet. Missing: ${missing.join('; ')}.`, {
    hint: 'Provide what is missing, then repeat the command.',
    details: { missing },
  });
}

/** Lists the missing requirements of the project's gates, as far as they can be told from here. */
async function missingFor(ctx: Context, task: Task, evidence: Evidence = []): Promise<string[]> {
  const { rules } = (await getProject(ctx, { project: task.project })).project;
  const gates = Gates.safeParse(rules['gates']).data ?? [];
  const given = new Set(evidence.map(({ criterion }) => criterion));
  const attached = new Set(task.artifacts.map(({ type }) => type));
  const missing = gates
    .filter(({ on, when }) => on === 'complete' && when === undefined)
    .flatMap(({ require }) => [
      ...require.artifacts
        .filter((type) => task.artifacts.length < ARTIFACTS_READ && !attached.has(type as never))
        .map((type) => `an artifact of type ${type} (\`cairn attach ${task.ref} ${type} LINK\`)`),
      ...task.acceptance_criteria.flatMap((text, at) =>
        require.evidence === undefined || given.has(at + 1)
          ? []
          : [`evidence for criterion ${at + 1}, "${text}" (--evidence "${at + 1}: …")`],
      ),
      ...(require.approval !== undefined && task.approved_at === undefined
        ? [`the approval of a person (\`cairn approve ${task.ref}\`)`]
        : []),
    ]);
  return [...new Set(missing)];
}
