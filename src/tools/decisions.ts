import type * as z from 'zod';
import { Decision } from '../events/decisions.ts';
import { named } from '../quote.ts';
import { DecisionPage, ListDecisions, listDecisions, RecordDecision, recordDecision } from '../services/decisions.ts';
import { projects } from './projects.ts';
import { block, decisionLine, lines, nextPage, time } from './render.ts';
import { toolset } from './tool.ts';

export const decisions = toolset(
  'decisions',
  {
    purpose: 'choices and their reasons',
    description: 'What was chosen among which options, and why.',
    scopes: projects.scopes,
  },
  {
    record_decision: {
      title: 'Record a decision',
      description:
        'Write down a choice that others must keep to, and why it was made, so that nobody decides it again.',
      effect: 'write',
      input: RecordDecision,
      output: Decision,
      run: recordDecision,
      render: (decision) => `Recorded ${decisionLine(decision)}`,
    },
    list_decisions: {
      title: 'List decisions',
      description: 'Read the decisions of a project with their options and reasons, newest first.',
      effect: 'read',
      input: ListDecisions,
      output: DecisionPage,
      run: listDecisions,
      render: ({ decisions: found, next_cursor }) =>
        found.length === 0 ? 'No decisions yet.' : lines(found.map(renderDecision), nextPage(next_cursor)),
    },
  },
);

function renderDecision(decision: z.infer<typeof Decision>): string {
  return lines(
    `${decisionLine(decision)}, by ${named(decision.by)}, ${time(decision.created_at)}`,
    decision.options.length > 0 && `options: ${JSON.stringify(decision.options)}`,
    block('rationale', decision.rationale),
  );
}
