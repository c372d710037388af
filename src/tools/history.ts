import { named, quote } from '../quote.ts';
import { GetState, getState, State } from '../services/history.ts';
import { projects } from './projects.ts';
import { counted, labelsOf, lines, unproven } from './render.ts';
import { toolset } from './tool.ts';

export const history = toolset(
  'history',
  {
    purpose: 'the project as of a position or time',
    description: 'How things were.',
    scopes: projects.scopes,
  },
  {
    get_state: {
      title: 'Read a past state',
      description: 'Read a project and its tasks as they were at a position of the log or at a time.',
      effect: 'read',
      input: GetState,
      output: State,
      run: getState,
      render: ({ project, position, counts, tasks, total, claims, not_shown }) =>
        lines(
          `${project.slug} ${quote(project.name)} at position ${position}: ${counted(counts)}`,
          tasks.map(
            ({ ref, priority, title, status, locked_by, ...task }) =>
              `${[ref, `[${priority}]`, quote(title), ...labelsOf(task)].join(' ')} ` +
              [status, unproven(task), locked_by && `held by ${named(locked_by)}`].filter(Boolean).join(', '),
          ),
          claims,
          not_shown ?? (total > tasks.length && `${total - tasks.length} more are not shown.`),
        ),
    },
  },
);
