import * as z from 'zod';
import { jsonList, line, ref, said } from '../text.ts';
import type { NewEvent } from './append.ts';
import type { EventTypes } from './event-type.ts';
import { newId } from './ids.ts';
import { ProjectRef } from './projects.ts';
import { TaskRef } from './tasks.ts';

export const DecisionRecorded = z.object({
  title: line(300),
  options: jsonList(said(1_000), 40_000).max(20).optional().describe('What was weighed.'),
  choice: said(2_000),
  rationale: said(10_000),
  supersedes: ref().optional().describe('Id of the decision that this one replaces.'),
});

/** @public */
export const decisionEvents = () =>
  ({
    'decision.recorded': {
      says: 'a choice and its reasons',
      creates: true,
      data: DecisionRecorded.extend({ project: ProjectRef.optional(), task: TaskRef.optional() }),
    },
    'decision.superseded': { says: 'a later decision replaced it', by: 'door', data: z.object({ by: ref() }) },
  }) as const satisfies EventTypes;

export const DecisionBrief = z.object({
  id: z.string(),
  title: z.string(),
  choice: z.string(),
  superseded_by: z.string().optional(),
  created_at: z.string(),
});
export type DecisionBrief = z.infer<typeof DecisionBrief>;

export const Decision = DecisionBrief.extend({
  project: z.string(),
  task: z.string().optional(),
  options: z.array(z.union([z.string(), z.record(z.string(), z.unknown())])),
  rationale: z.string(),
  supersedes: z.string().optional(),
  by: z.string(),
});
export type Decision = z.infer<typeof Decision>;

export function decisionRecorded(
  about: { project?: string | undefined; task?: string | undefined },
  data: z.infer<typeof DecisionRecorded>,
): NewEvent<Decision> {
  return { stream: `decision:${newId()}`, type: 'decision.recorded', data: { ...data, ...about }, state: Decision };
}
